# What an installation holds: the command, the plugins, the headers, pipelines, man pages, shell completion, and what plugin authors
# need to build against it (find_package(Millrace), pkg-config millrace). All of it may be moved: paths are relative to each other.
include(GNUInstallDirs)
get_property(plugins GLOBAL PROPERTY MR_PLUGINS)
get_property(servers GLOBAL PROPERTY MR_SERVERS)

# Man pages and shell completion come from the tables in the code, so they are made by the command itself.
set(pages ${PROJECT_BINARY_DIR}/man)
set(completion ${PROJECT_BINARY_DIR}/completion)
add_custom_command(
  OUTPUT ${PROJECT_BINARY_DIR}/pages.stamp
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${pages}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${pages} ${completion}
  COMMAND millrace help --man --write ${pages}
  COMMAND millrace completion bash > ${completion}/millrace
  COMMAND millrace completion zsh > ${completion}/_millrace
  COMMAND millrace completion fish > ${completion}/millrace.fish
  COMMAND millrace schema > ${completion}/millrace.schema.json
  COMMAND millrace settings --schema > ${completion}/config.schema.json
  COMMAND ${CMAKE_COMMAND} -E touch ${PROJECT_BINARY_DIR}/pages.stamp
  DEPENDS millrace ${plugins} VERBATIM
  COMMENT "Man pages and shell completion")
# Everything that a person uses, without the tests.
add_custom_target(product DEPENDS millrace ${plugins} ${servers} ${PROJECT_BINARY_DIR}/pages.stamp)

install(TARGETS millrace RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS millrace-task-host RUNTIME DESTINATION libexec/millrace) # where the command looks: ../libexec/millrace
install(TARGETS millrace-inspector LIBRARY DESTINATION libexec/millrace)
install(FILES api-server/openapi.yaml DESTINATION ${CMAKE_INSTALL_DATADIR}/millrace)
install(DIRECTORY core/include/millrace DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS ${plugins} LIBRARY DESTINATION lib/millrace/plugins)
install(TARGETS ${servers} LIBRARY DESTINATION lib/millrace/servers)
install(DIRECTORY pipelines/ DESTINATION ${CMAKE_INSTALL_DATADIR}/millrace/pipelines)
install(DIRECTORY scripting/types/ DESTINATION ${CMAKE_INSTALL_DATADIR}/millrace/types)
install(DIRECTORY ${PROJECT_BINARY_DIR}/share/millrace/kit DESTINATION ${CMAKE_INSTALL_DATADIR}/millrace)
install(DIRECTORY ${pages}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 OPTIONAL FILES_MATCHING PATTERN "*.1")
install(DIRECTORY ${pages}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man5 OPTIONAL FILES_MATCHING PATTERN "*.5")
install(DIRECTORY ${pages}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man7 OPTIONAL FILES_MATCHING PATTERN "*.7")
install(FILES ${completion}/millrace DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions OPTIONAL)
install(FILES ${completion}/_millrace DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions OPTIONAL)
install(FILES ${completion}/millrace.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d OPTIONAL)
install(FILES ${completion}/millrace.schema.json ${completion}/config.schema.json DESTINATION ${CMAKE_INSTALL_DATADIR}/millrace OPTIONAL)

# For plugin authors. Plugins link nothing of Millrace, so this is only where the headers lie and where plugins go.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Millrace)
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
set(plugin_dir lib/millrace/plugins) # beside bin/, where the command looks; not under CMAKE_INSTALL_LIBDIR
set(include_dir ${CMAKE_INSTALL_INCLUDEDIR})
set(command ${CMAKE_INSTALL_BINDIR}/millrace)
configure_package_config_file(cmake/MillraceConfig.cmake.in ${PROJECT_BINARY_DIR}/package/MillraceConfig.cmake INSTALL_DESTINATION ${package_dir}
  PATH_VARS include_dir plugin_dir command NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/MillraceConfigVersion.cmake COMPATIBILITY SameMajorVersion ARCH_INDEPENDENT)
file(RELATIVE_PATH up_from_pkgconfig /${pkgconfig_dir} /)
string(REGEX REPLACE "/$" "" up_from_pkgconfig "${up_from_pkgconfig}")
configure_file(cmake/millrace.pc.in ${PROJECT_BINARY_DIR}/package/millrace.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/package/MillraceConfig.cmake ${PROJECT_BINARY_DIR}/package/MillraceConfigVersion.cmake DESTINATION ${package_dir})
install(FILES ${PROJECT_BINARY_DIR}/package/millrace.pc DESTINATION ${pkgconfig_dir})
