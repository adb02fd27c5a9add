# cmake --install: headers, the library, the package for find_package(mainspring) and, where it is built, the command line.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/mainspring)
install(DIRECTORY include/mainspring DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS mainspring mainspring_dependencies EXPORT mainspringTargets)
install(EXPORT mainspringTargets NAMESPACE mainspring:: DESTINATION ${package})
configure_package_config_file(cmake/mainspringConfig.cmake.in ${PROJECT_BINARY_DIR}/mainspringConfig.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mainspringConfigVersion.cmake COMPATIBILITY SameMinorVersion)  # before 1.0 no ABI is promised
install(FILES ${PROJECT_BINARY_DIR}/mainspringConfig.cmake ${PROJECT_BINARY_DIR}/mainspringConfigVersion.cmake DESTINATION ${package})
if(TARGET mainspring_cli)
  install(TARGETS mainspring_cli)
endif()
