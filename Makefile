# Everything from a bare Debian 12 on: `make demo`, `make real`, `make test`. What really builds is CMake (CMakePresets.json).
PRESET ?= release
BUILD := $(if $(filter dev,$(PRESET)),build-dev,$(if $(filter asan-ubsan,$(PRESET)),build-asan,build))

.PHONY: all setup build demo real test package bench format clean
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

# A real model, fetched; stopped anywhere, the same command goes on.
real: setup
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET) --target sdft
	tools/get-model smollm2
	tools/get-data orders
	tools/get-data bfcl
	$(BUILD)/sdft run --recipe examples/smollm2.yaml

test: build
	@ctest --preset $(PRESET)

# A Debian package: build/sdft_VERSION_amd64.deb.
package: build
	@cd $(BUILD) && cpack

# Each kernel against libtorch's and what the processor can do at most, then a model: make bench MODEL='--model FOLDER'.
MODEL ?= --shape 135m
bench: setup
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET) --target sdft kernel_bench
	tools/bench-kernels $(BUILD)/kernel_bench
	$(BUILD)/sdft bench $(MODEL) --train

format:
	@git ls-files '*.cpp' '*.h' | xargs clang-format -i

clean:
	rm -rf build build-dev build-asan build-tidy build-tidy-all
