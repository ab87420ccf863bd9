# sdft_module(NAME [TORCH] [PROGRAM program] [DEPS module...] [LIBS target...]): src/NAME/*.cpp as the static library
# sdft_NAME (a/b: sdft_a_b), or as a program. DEPS: the modules whose headers it includes, all of them and no others
# (tests/base/structure_test.cpp). TORCH: may include torch headers (precompiled).
function(sdft_module name)
  cmake_parse_arguments(ARG "TORCH" "PROGRAM" "DEPS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
  list(TRANSFORM ARG_DEPS REPLACE "/" "_")
  list(TRANSFORM ARG_DEPS PREPEND sdft_)
  string(REPLACE "/" "_" target sdft_${name})
  if(ARG_PROGRAM)
    set(target ${ARG_PROGRAM})
    add_executable(${target} ${sources})
  else()
    add_library(${target} STATIC ${sources})
    set_property(GLOBAL APPEND PROPERTY sdft_modules ${name})
  endif()
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(${target} PUBLIC ${ARG_DEPS} ${ARG_LIBS})
  if(ARG_TORCH)
    target_link_libraries(${target} PUBLIC sdft_torch)
    if(name STREQUAL tensor)
      target_precompile_headers(sdft_tensor PRIVATE <ATen/ATen.h> <fmt/format.h> <nlohmann/json.hpp>
        <spdlog/spdlog.h> <filesystem> <functional> <map> <optional> <set> <string> <vector>)
      sdft_compile_together(sdft_tensor)
    else()
      sdft_use_precompiled(${target})
    endif()
  endif()
endfunction()

# For targets whose sources include ATen by way of other modules' headers: halves their time to compile. With SDFT_UNITY
# some sources are compiled at once, which halves it again; a name in an unnamed namespace is then a module's.
function(sdft_use_precompiled target)
  target_precompile_headers(${target} REUSE_FROM sdft_tensor)
  sdft_compile_together(${target})
endfunction()

function(sdft_compile_together target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${SDFT_UNITY} UNITY_BUILD_BATCH_SIZE 6)
  if(SDFT_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)  # it takes a file that is not the first for a header
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
endfunction()
