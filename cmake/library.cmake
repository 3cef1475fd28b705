# The library, static and shared, the program, and what `make install` puts in place.

set(objects)
foreach(floor ${RESNET_FLOORS})
  list(APPEND objects $<TARGET_OBJECTS:${floor}>)
endforeach()
set(dependencies PkgConfig::JPEG PkgConfig::PNG PkgConfig::WEBP PkgConfig::ZLIB PkgConfig::JANSSON
    Threads::Threads m)

file(GLOB api CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/api/*.c)
add_library(resnet_api OBJECT ${api})
target_include_directories(resnet_api PRIVATE include src)
target_compile_definitions(resnet_api PRIVATE RESNET_VERSION="${PROJECT_VERSION}")
target_link_libraries(resnet_api PRIVATE PkgConfig::JANSSON)

add_library(resnet_shared SHARED ${objects} $<TARGET_OBJECTS:resnet_api>)
target_link_libraries(resnet_shared PRIVATE ${dependencies})
set_target_properties(resnet_shared PROPERTIES OUTPUT_NAME resnet
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})

# The static library is one object whose hidden symbols are made local: it exports resnet_* only,
# so that an application's own graph_create() is no clash.
add_custom_command(OUTPUT resnet.o
  COMMAND ${CMAKE_LINKER} -r -o resnet.o ${objects} $<TARGET_OBJECTS:resnet_api>
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden resnet.o
  DEPENDS ${objects} $<TARGET_OBJECTS:resnet_api> ${RESNET_FLOORS} resnet_api
  COMMAND_EXPAND_LISTS VERBATIM)
add_library(resnet_static STATIC ${CMAKE_CURRENT_BINARY_DIR}/resnet.o)
set_target_properties(resnet_static PROPERTIES OUTPUT_NAME resnet LINKER_LANGUAGE C)
target_link_libraries(resnet_static PUBLIC ${dependencies})

# All of the program but main(), so that tests can link its parts.
file(GLOB_RECURSE program CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/program/*.c)
list(FILTER program EXCLUDE REGEX "/main\\.c$")
add_library(resnet_program OBJECT ${program})
target_include_directories(resnet_program PRIVATE include program)
target_link_libraries(resnet_program PRIVATE PkgConfig::JANSSON)
add_executable(resnet program/main.c $<TARGET_OBJECTS:resnet_program>)
target_include_directories(resnet PRIVATE include program)
target_link_libraries(resnet PRIVATE resnet_static PkgConfig::JANSSON)
if(RESNET_STATIC AND NOT RESNET_HAS_GLIBC)
  target_sources(resnet PRIVATE cmake/fortify.c)
endif()

install(TARGETS resnet RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS resnet_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS resnet_static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/resnet.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

configure_file(cmake/resnet.pc.in resnet.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/resnet.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

include(CMakePackageConfigHelpers)
configure_package_config_file(cmake/resnet-config.cmake.in resnet-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/resnet
  PATH_VARS CMAKE_INSTALL_FULL_LIBDIR CMAKE_INSTALL_FULL_INCLUDEDIR)
write_basic_package_version_file(resnet-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/resnet-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/resnet-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/resnet)
