# Everything from a bare Debian 12 on: `make demo`, `make test`. What really builds is CMake (CMakePresets.json).
PRESET ?= release
BUILD := $(if $(filter dev,$(PRESET)),build-dev,$(if $(filter asan-ubsan,$(PRESET)),build-asan,build))

.PHONY: all setup build demo test format clean
all: build

setup:
	@tools/setup

build: setup
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET)

demo: setup
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET) --target sdft
	$(BUILD)/sdft demo

test: build
	@ctest --preset $(PRESET)

format:
	@git ls-files '*.cpp' '*.h' | xargs clang-format -i

clean:
	rm -rf build build-dev build-asan build-tidy build-tidy-all
