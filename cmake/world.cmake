# The generator of the mini seed model's world.
add_executable(sdft-world ${PROJECT_SOURCE_DIR}/tools/world_main.cpp)
target_link_libraries(sdft-world PRIVATE sdft_world)
