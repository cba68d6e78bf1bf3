include(GNUInstallDirs)
get_property(plugins GLOBAL PROPERTY MR_PLUGINS)

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
  COMMAND ${CMAKE_COMMAND} -E touch ${PROJECT_BINARY_DIR}/pages.stamp
  DEPENDS millrace ${plugins} VERBATIM
  COMMENT "Man pages and shell completion")
# Everything that a person uses, without the tests.
add_custom_target(product DEPENDS millrace ${plugins} ${PROJECT_BINARY_DIR}/pages.stamp)

install(TARGETS millrace RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY core/include/millrace DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS ${plugins} LIBRARY DESTINATION lib/millrace/plugins)
install(DIRECTORY pipelines/ DESTINATION ${CMAKE_INSTALL_DATADIR}/millrace/pipelines)
install(DIRECTORY ${pages}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 OPTIONAL FILES_MATCHING PATTERN "*.1")
install(DIRECTORY ${pages}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man7 OPTIONAL FILES_MATCHING PATTERN "*.7")
install(FILES ${completion}/millrace DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions OPTIONAL)
install(FILES ${completion}/_millrace DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions OPTIONAL)
install(FILES ${completion}/millrace.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d OPTIONAL)
install(FILES ${completion}/millrace.schema.json DESTINATION ${CMAKE_INSTALL_DATADIR}/millrace OPTIONAL)
