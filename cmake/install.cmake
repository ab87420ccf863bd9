# What `cmake --install` puts where, and `cpack`'s Debian package of the same. The folder may be moved as a whole: the
# programs lie side by side, and programs and library find share/sdft from where they are.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS sdft)
install(DIRECTORY assets/ DESTINATION ${CMAKE_INSTALL_DATADIR}/sdft)
if(SDFT_TORCH)
  # libsdft.so: the modules in one, of which include/sdft/ is all that is visible.
  add_library(sdft_shared SHARED include/sdft/sdft.h)
  set_target_properties(sdft_shared PROPERTIES OUTPUT_NAME sdft EXPORT_NAME sdft LINKER_LANGUAGE CXX
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    LINK_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/libsdft.map)
  target_link_libraries(sdft_shared PRIVATE "$<LINK_LIBRARY:WHOLE_ARCHIVE,sdft_run>")
  target_link_options(sdft_shared PRIVATE -Wl,--no-undefined -Wl,--version-script=${CMAKE_CURRENT_LIST_DIR}/libsdft.map)
  target_include_directories(sdft_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(sdft_shared INTERFACE cxx_std_17)
  target_compile_options(sdft_shared INTERFACE ${torch_flags})

  install(TARGETS sdft-engine)
  install(TARGETS sdft_shared EXPORT sdft)
  install(DIRECTORY include/sdft DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/sdft)
  install(EXPORT sdft FILE sdftConfig.cmake NAMESPACE sdft:: DESTINATION ${cmake_dir})
  write_basic_package_version_file(sdftConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  file(RELATIVE_PATH to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  list(JOIN torch_flags " " pkgconfig_flags)
  configure_file(cmake/sdft.pc.in sdft.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/sdftConfigVersion.cmake DESTINATION ${cmake_dir})
  install(FILES ${PROJECT_BINARY_DIR}/sdft.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

  # The manual page and completions are the program's own words.
  function(install_output file folder)
    install(CODE "execute_process(COMMAND $<TARGET_FILE:sdft> ${ARGN} OUTPUT_FILE ${PROJECT_BINARY_DIR}/${file}
                                  COMMAND_ERROR_IS_FATAL ANY)")
    install(FILES ${PROJECT_BINARY_DIR}/${file} DESTINATION ${folder})
  endfunction()
  install_output(sdft.1 ${CMAKE_INSTALL_MANDIR}/man1 man)
  install_output(completions/sdft ${CMAKE_INSTALL_DATADIR}/bash-completion/completions completions bash)
  install_output(completions/_sdft ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions completions zsh)
  install_output(completions/sdft.fish ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d completions fish)
  file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/completions)
endif()

# build/ > cpack: programs, library and headers in one package; what it depends on is read from the binaries.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "sdft.cpp maintainers <maintainers@sdft.invalid>")
set(CPACK_PACKAGE_DESCRIPTION "The seed model rewrites a task's answers in its own words, is tuned on those,
and a report shows what was gained and lost. Programs, library, headers.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
# Generated programs are run by python3 inside bubblewrap, servers asked over https.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "bubblewrap, python3-minimal, ca-certificates")
include(CPack)
