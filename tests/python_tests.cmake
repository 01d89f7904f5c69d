# python_tests(PREFIX): each method of the Python classes in the current folder's test_*.py is a test of ctest,
# found by name at configure time. The names, or what was wrong, are in python_tests_found and python_tests_error afterwards.
set(HOLDFAST_PYTHON /usr/bin/python3)  # Debian's, which has python3-paho-mqtt
set(HOLDFAST_RUN_TESTS ${CMAKE_CURRENT_LIST_DIR}/support/run_tests.py)

function(python_tests prefix)
    file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.py)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})
    execute_process(COMMAND ${HOLDFAST_PYTHON} ${HOLDFAST_RUN_TESTS} ${CMAKE_CURRENT_SOURCE_DIR} --list
        OUTPUT_VARIABLE list ERROR_VARIABLE error RESULT_VARIABLE result OUTPUT_STRIP_TRAILING_WHITESPACE)
    set(python_tests_error "${error}" PARENT_SCOPE)
    set(python_tests_found PARENT_SCOPE)
    if(NOT result EQUAL 0)
        return()
    endif()

    set(found)
    string(REPLACE "\n" ";" list "${list}")
    foreach(line IN LISTS list)
        string(REPLACE " " ";" fields "${line}")
        list(GET fields 0 name)
        list(GET fields 1 timeout)
        list(GET fields 2 processors)
        list(GET fields 3 labels)
        string(REPLACE "," ";" labels "${labels}")
        add_test(NAME ${prefix}.${name}
            COMMAND ${HOLDFAST_PYTHON} ${HOLDFAST_RUN_TESTS} ${CMAKE_CURRENT_SOURCE_DIR} ${name})
        set_tests_properties(${prefix}.${name} PROPERTIES LABELS "${labels}" TIMEOUT ${timeout} PROCESSORS ${processors}
            COST ${timeout}  # the longest first, so that none is left alone at the end
            SKIP_RETURN_CODE 77
            ENVIRONMENT "HOLDFAST_BUILD=${CMAKE_BINARY_DIR};HOLDFAST_SANITIZE=${HOLDFAST_SANITIZE}")
        list(APPEND found ${prefix}.${name})
    endforeach()
    set(python_tests_found ${found} PARENT_SCOPE)
endfunction()
