# What every target shares: language, warnings, hardening; and the three kinds of target the tree is made of.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_INSTALL_LIBEXECDIR libexec)
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

# In a build tree the binaries lie side by side, so that the agent finds its plugin host and its plugins.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(HOLDFAST_PLUGIN_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin/plugins)

# It warns of each function that is given a temporary and returns a reference, whatever to (GCC 13 and 14).
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-dangling-reference>)
endif()
add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Werror -fno-plt
    $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> $<$<COMPILE_LANGUAGE:CXX>:-Wold-style-cast>
    $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)
if(CMAKE_SIZEOF_VOID_P EQUAL 4)
    # Else armhf fails (EOVERFLOW) with files and disks of more than 2 GiB or 2^32 blocks, and with large inode numbers.
    add_compile_definitions(_FILE_OFFSET_BITS=64)
    add_compile_options(-Wno-psabi)  # all is built by one compiler: how others pass arguments does not matter
endif()
add_link_options(-Wl,--as-needed -Wl,-z,relro,-z,now -Wl,-z,noexecstack)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL x86_64 AND NOT HOLDFAST_SANITIZE)
    # Relocations in a tenth of the room; glibc 2.36 knows them, and binutils 2.40 makes them for x86 alone.
    add_link_options(-Wl,-z,pack-relative-relocs)
endif()
if(CMAKE_SYSTEM_PROCESSOR STREQUAL aarch64)
    # Kernels of gateways have pages of 4 or 16 KiB; room for those of 64 KiB is more than half a megabyte of padding.
    add_link_options(-Wl,-z,max-page-size=16384)
endif()
if(CMAKE_BUILD_TYPE MATCHES "Rel")
    add_compile_options(-fstack-protector-strong -ffunction-sections -fdata-sections -U_FORTIFY_SOURCE
        -D_FORTIFY_SOURCE=2)
    add_link_options(-Wl,--gc-sections)
endif()
if(HOLDFAST_SANITIZE)
    # clang asks through a pipe whether an object is there to look at its vptr: a false alarm where descriptors are used up.
    add_compile_options(-fsanitize=${HOLDFAST_SANITIZE} -fno-omit-frame-pointer
        $<$<CXX_COMPILER_ID:Clang>:-fno-sanitize=vptr>)
    add_link_options(-fsanitize=${HOLDFAST_SANITIZE})
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(TOMLPLUSPLUS REQUIRED IMPORTED_TARGET tomlplusplus)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl)
find_library(PAHO_MQTTPP paho-mqttpp3 REQUIRED)
find_library(PAHO_MQTT_AS paho-mqtt3as REQUIRED)

# holdfast_precompile(TARGET OWNER HEADER...): TARGET takes the precompiled headers of OWNER, which itself makes them; both have the
# same flags.
set(holdfast_headers <algorithm> <chrono> <functional> <map> <memory> <optional> <string> <vector> <tl/expected.hpp>)
function(holdfast_precompile target owner)
    if(NOT HOLDFAST_PRECOMPILE)
        return()
    elseif(target STREQUAL owner)
        target_precompile_headers(${target} PRIVATE ${ARGN})
    else()
        target_precompile_headers(${target} REUSE_FROM ${owner})
    endif()
endfunction()

# holdfast_library(NAME SOURCES... LINKS...): the static library of one folder of agent/; LINKS are the arrows it may follow.
function(holdfast_library name)
    cmake_parse_arguments(arg "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
    add_library(holdfast_${name} STATIC ${arg_SOURCES})
    target_include_directories(holdfast_${name} PUBLIC ${PROJECT_SOURCE_DIR}/agent)
    foreach(link IN LISTS arg_LINKS)
        target_link_libraries(holdfast_${name} PUBLIC holdfast_${link})
    endforeach()
    target_link_libraries(holdfast_${name} PRIVATE ${arg_PRIVATE_LINKS})
endfunction()

# holdfast_small(TARGET...): built for size, since it is not on the way of each reading; what an installation takes is promised.
function(holdfast_small)
    foreach(target IN LISTS ARGN)
        target_compile_options(${target} PRIVATE $<$<NOT:$<CONFIG:Debug>>:-Os>)
    endforeach()
endfunction()

# holdfast_without_exceptions(TARGET...): nothing in them throws or catches, for what can fail there returns a Result; and what the
# library throws at them, for want of memory, ends the process either way. So they need no code for the case, nor tables to find it by.
function(holdfast_without_exceptions)
    foreach(target IN LISTS ARGN)
        target_compile_options(${target} PRIVATE -fno-exceptions
            $<$<NOT:$<CONFIG:Debug>>:-fno-unwind-tables> $<$<NOT:$<CONFIG:Debug>>:-fno-asynchronous-unwind-tables>)
    endforeach()
endfunction()

# holdfast_fast(SOURCE...): of a folder that is built for size, what each reading goes through.
function(holdfast_fast)
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS $<$<NOT:$<CONFIG:Debug>>:-O2>)
endfunction()

# holdfast_plugin(NAME [FAST] SOURCES... [LINKS...]): a bundled plugin, built for size unless readings come as fast as it makes them.
# It sees the public header, as a third party's would, and plugins/shared.
function(holdfast_plugin name)
    cmake_parse_arguments(arg "FAST" "" "SOURCES;LINKS" ${ARGN})
    add_library(plugin_${name} MODULE ${arg_SOURCES})
    target_link_libraries(plugin_${name} PRIVATE holdfast_shared ${arg_LINKS})
    holdfast_precompile(plugin_${name} holdfast_shared)
    target_compile_definitions(plugin_${name} PRIVATE HOLDFAST_VERSION="${PROJECT_VERSION}")
    if(NOT arg_FAST)
        holdfast_small(plugin_${name})
    endif()
    set_target_properties(plugin_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
        LIBRARY_OUTPUT_DIRECTORY ${HOLDFAST_PLUGIN_OUTPUT_DIRECTORY})
    install(TARGETS plugin_${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/holdfast/plugins)
endfunction()

# holdfast_test(NAME SOURCES... LINKS... [ENVIRONMENT...] [LABELS label]): one GoogleTest program a folder; each of its tests is a test of ctest.
function(holdfast_test name)
    cmake_parse_arguments(arg "" "" "SOURCES;LINKS;PRIVATE_LINKS;ENVIRONMENT;LABELS" ${ARGN})
    add_executable(test_${name} ${arg_SOURCES})
    target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    foreach(link IN LISTS arg_LINKS)
        target_link_libraries(test_${name} PRIVATE holdfast_${link})
    endforeach()
    target_link_libraries(test_${name} PRIVATE ${arg_PRIVATE_LINKS} GTest::gmock GTest::gtest_main)
    holdfast_precompile(test_${name} test_base ${holdfast_headers} <filesystem> <fstream> <thread> <gmock/gmock.h> <gtest/gtest.h>)
    set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    set(properties TIMEOUT 300)
    foreach(property LABELS ENVIRONMENT)
        if(arg_${property})
            list(APPEND properties ${property} "${arg_${property}}")
        endif()
    endforeach()
    gtest_discover_tests(test_${name} DISCOVERY_TIMEOUT 60 PROPERTIES ${properties})
endfunction()
