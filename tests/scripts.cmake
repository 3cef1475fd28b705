# Tests that are scripts: they get the program and the build folder by environment.
file(GLOB scripts CONFIGURE_DEPENDS cli/test_*.sh structure/test_*.sh)
foreach(script ${scripts})
  get_filename_component(name ${script} NAME_WE)
  get_filename_component(folder ${script} DIRECTORY)
  get_filename_component(folder ${folder} NAME)
  string(REGEX REPLACE "^test_" "" name ${name})
  add_test(NAME ${folder}.${name} COMMAND bash ${script} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${folder}.${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900
    ENVIRONMENT "RESNET_PROGRAM=$<TARGET_FILE:resnet>;RESNET_BUILD=${PROJECT_BINARY_DIR};RESNET_SANITIZE=${RESNET_SANITIZE}")
endforeach()
