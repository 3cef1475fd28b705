# Tests that are scripts: they get the program and the build folder by environment.
file(GLOB scripts CONFIGURE_DEPENDS cli/test_*.sh structure/test_*.sh)
foreach(script ${scripts})
  get_filename_component(name ${script} NAME_WE)
  get_filename_component(folder ${script} DIRECTORY)
  get_filename_component(folder ${folder} NAME)
  string(REGEX REPLACE "^test_" "" name ${name})
  resnet_add_test(${folder}.${name} bash ${script})
endforeach()
