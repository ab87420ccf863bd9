# Every library is a Debian package; tools/packages.txt is the one list of them.
# Imported targets are of one folder only by default, and a project that adds this one links from another.
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL TRUE)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
if(PROJECT_IS_TOP_LEVEL)
  find_package(CLI11 REQUIRED)
endif()
find_package(OpenSSL REQUIRED COMPONENTS Crypto SSL)
find_package(CURL 7.87 REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(Threads REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET GLOBAL libpcre2-8)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET GLOBAL libutf8proc)
find_path(PROTOZERO_INCLUDE protozero/pbf_reader.hpp REQUIRED)  # headers only
pkg_check_modules(SENTENCEPIECE IMPORTED_TARGET sentencepiece)  # a test compares with it

set(torch_version "none, sdft was built without it")
if(SDFT_TORCH)
  find_package(Torch REQUIRED)
  # From the header that the program is compiled with: not every package sets Torch_VERSION.
  foreach(dir ${TORCH_INCLUDE_DIRS})
    foreach(header torch/csrc/api/include/torch/version.h torch/headeronly/version.h)  # older, newer
      if(EXISTS ${dir}/${header})
        file(READ ${dir}/${header} text)
        if(text MATCHES "TORCH_VERSION[^\"A-Z_]*\"([^\"]+)\"")
          set(torch_version ${CMAKE_MATCH_1})
        endif()
      endif()
    endforeach()
  endforeach()
  if(torch_version VERSION_GREATER_EQUAL 2.13 AND CMAKE_CXX_STANDARD LESS 20)
    set(CMAKE_CXX_STANDARD 20)
  endif()
  # One INTERFACE target, so that torch's own flags and warnings reach only the modules that ask for it.
  add_library(sdft_torch INTERFACE)
  target_include_directories(sdft_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
  separate_arguments(torch_flags UNIX_COMMAND "${TORCH_CXX_FLAGS}")
  target_compile_options(sdft_torch INTERFACE ${torch_flags})
  target_link_libraries(sdft_torch INTERFACE ${TORCH_LIBRARIES})
endif()
