# One object library a folder of src/, so that each floor (and its tests) builds by itself.
# Includes point down only; tests/structure checks it.

function(resnet_floor name)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.c)
  string(REPLACE "/" "_" target floor_${name})
  add_library(${target} OBJECT ${sources})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  set_property(GLOBAL APPEND PROPERTY RESNET_FLOORS ${target})
endfunction()

resnet_floor(base)
resnet_floor(graph)
resnet_floor(models)
resnet_floor(data)
resnet_floor(formats)
resnet_floor(backend/cpu)
resnet_floor(network)
resnet_floor(weights)
resnet_floor(train)

if(RESNET_STATIC)
  target_compile_options(floor_backend_cpu PRIVATE -O2) # it blocks and packs
endif()
target_link_libraries(floor_data PRIVATE PkgConfig::JPEG PkgConfig::PNG PkgConfig::WEBP
                      PkgConfig::ZLIB)
target_link_libraries(floor_formats PRIVATE PkgConfig::JANSSON PkgConfig::ZLIB)
target_link_libraries(floor_weights PRIVATE PkgConfig::JANSSON)
target_link_libraries(floor_train PRIVATE PkgConfig::JANSSON)

# The reference backend: one source, compiled as float and as double.
file(GLOB reference CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/backend/reference/*.c)
foreach(real float double)
  set(target floor_backend_reference_${real})
  add_library(${target} OBJECT ${reference})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  string(TOUPPER ${real} REAL)
  target_compile_definitions(${target} PRIVATE REAL_IS_${REAL}=1)
  set_property(GLOBAL APPEND PROPERTY RESNET_FLOORS ${target})
endforeach()

# The kernels: one source, compiled once for each instruction set. Contraction is on here alone
# (-std=c17 switches it off in GCC, which would leave no FMA). A new instruction set is two lines.
# A set that differs in the kernels on bytes or bf16 alone takes the others' (int8_set.c, bf16_set.c).
function(resnet_kernels isa files)
  set(target kernels_${isa})
  file(GLOB kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/backend/cpu/kernels/${files}.c)
  add_library(${target} OBJECT ${kernels})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_compile_definitions(${target} PRIVATE KERNELS_ISA=${isa})
  target_compile_options(${target} PRIVATE -O3 -ffp-contract=fast ${ARGN})
  if(RESNET_SANITIZE MATCHES undefined)
    # AddressSanitizer and the processor see these at each access as well, and unrolled loops would
    # take minutes to compile.
    target_compile_options(${target} PRIVATE -g1
                           -fno-sanitize=null,alignment,object-size,pointer-overflow)
  endif()
  set_property(GLOBAL APPEND PROPERTY RESNET_FLOORS ${target})
endfunction()

resnet_kernels(portable *)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  if(RESNET_STATIC)
    # For processors from before 2013 here.
    target_compile_options(kernels_portable PRIVATE -Os)
  endif()
  set(avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mbmi2 -mprefer-vector-width=512)
  resnet_kernels(avx2 * -mavx2 -mfma -mbmi2)
  resnet_kernels(avx512 * ${avx512})
  resnet_kernels(avx512vnni int8_* ${avx512} -mavx512vnni)
  resnet_kernels(avx512bf16 bf16_* ${avx512} -mavx512bf16)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  resnet_kernels(neon *)
endif()

get_property(RESNET_FLOORS GLOBAL PROPERTY RESNET_FLOORS)
