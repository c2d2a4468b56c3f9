# SPDX-License-Identifier: Apache-2.0
#
# How a backend is built, inside this repository and against an installed Attest.
#   attest_add_backend(NAME SOURCES file... [LIBRARIES target...] [COMPILE_OPTIONS option...]
#                      [ISA_LEVELS x86-64-v2 ...] [VERSION text] [OUTPUT_DIRECTORY folder])
#     makes the module attest_NAME.so with one exported symbol. With ISA_LEVELS, on x86-64, one
#     module for each level, attest_NAME.LEVEL.so, of which the host loads the highest that the CPU
#     runs. (Two levels in one library would share weak symbols, and an older CPU would crash.)
#   attest_skip_backend(NAME REASON PACKAGE)
#     its dependency is missing: off, with the reason in the final table; an error naming the
#     package to install where ATTEST_BACKEND_NAME=ON asks for it.
#   attest_backend_wanted(NAME RESULT)
#     RESULT is FALSE where ATTEST_BACKEND_NAME is OFF (the variable is AUTO, ON or OFF).
include_guard(GLOBAL)
set_property(GLOBAL PROPERTY ATTEST_BACKEND_TABLE "")

function(_attest_backend_row name state version why)
  set_property(GLOBAL APPEND PROPERTY ATTEST_BACKEND_TABLE "${name}|${state}|${version}|${why}")
endfunction()

function(attest_backend_wanted name result)
  string(TOUPPER ATTEST_BACKEND_${name} option)
  set(${option} AUTO CACHE STRING "Build the ${name} backend: AUTO, ON or OFF")
  set_property(CACHE ${option} PROPERTY STRINGS AUTO ON OFF)
  if(${option} STREQUAL "OFF")
    _attest_backend_row(${name} off "" "${option}=OFF")
    set(${result} FALSE PARENT_SCOPE)
  else()
    set(${result} TRUE PARENT_SCOPE)
  endif()
endfunction()

function(attest_skip_backend name reason package)
  string(TOUPPER ATTEST_BACKEND_${name} option)
  if("${${option}}" STREQUAL "ON")
    message(FATAL_ERROR "${option}=ON, but ${reason}. Install ${package}, or set ${option}=AUTO.")
  endif()
  _attest_backend_row(${name} off "" "${reason} (install ${package})")
endfunction()

function(_attest_add_module target file_name)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "OUTPUT_DIRECTORY" "SOURCES;LIBRARIES;COMPILE_OPTIONS")
  set(version_script ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/one_symbol.map)
  add_library(${target} MODULE ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE attest_abi Threads::Threads ${arg_LIBRARIES})
  if(TARGET attest_warnings)
    target_link_libraries(${target} PRIVATE attest_warnings)
  endif()
  target_compile_options(${target} PRIVATE ${arg_COMPILE_OPTIONS})
  target_link_options(${target} PRIVATE -Wl,--version-script=${version_script} -Wl,--no-undefined)
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME ${file_name} SUFFIX ".so" LINK_DEPENDS ${version_script}
    LIBRARY_OUTPUT_DIRECTORY "${arg_OUTPUT_DIRECTORY}"
    CXX_VISIBILITY_PRESET hidden C_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
endfunction()

function(attest_add_backend name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "VERSION;OUTPUT_DIRECTORY"
                        "SOURCES;LIBRARIES;COMPILE_OPTIONS;ISA_LEVELS")
  if(NOT arg_OUTPUT_DIRECTORY)
    set(arg_OUTPUT_DIRECTORY ${ATTEST_PLUGIN_OUTPUT_DIRECTORY})
  endif()
  set(common SOURCES ${arg_SOURCES} LIBRARIES ${arg_LIBRARIES} OUTPUT_DIRECTORY ${arg_OUTPUT_DIRECTORY})
  set(targets "")
  if(arg_ISA_LEVELS AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    foreach(level IN LISTS arg_ISA_LEVELS)
      _attest_add_module(attest_${name}.${level} attest_${name}.${level} ${common}
                         COMPILE_OPTIONS ${arg_COMPILE_OPTIONS} -march=${level} -mtune=generic)
      list(APPEND targets attest_${name}.${level})
    endforeach()
    add_custom_target(attest_${name} DEPENDS ${targets})
  else()
    _attest_add_module(attest_${name} attest_${name} ${common} COMPILE_OPTIONS ${arg_COMPILE_OPTIONS})
    set(targets attest_${name})
  endif()
  if(PROJECT_NAME STREQUAL "Attest" AND arg_OUTPUT_DIRECTORY STREQUAL ATTEST_PLUGIN_OUTPUT_DIRECTORY)
    install(TARGETS ${targets} LIBRARY DESTINATION lib/attest)  # where bin/attest looks
    set_property(GLOBAL APPEND PROPERTY ATTEST_BACKEND_TARGETS ${targets})
    _attest_backend_row(${name} on "${arg_VERSION}" "")
  endif()
endfunction()

function(attest_print_backends)
  get_property(rows GLOBAL PROPERTY ATTEST_BACKEND_TABLE)
  message(STATUS "backend    | on/off | library version      | why")
  foreach(row IN LISTS rows)
    string(REPLACE "|" ";" cells "${row}")
    set(line "")
    set(widths 10 6 20 0)
    foreach(index RANGE 3)
      list(GET cells ${index} cell)
      list(GET widths ${index} width)
      string(LENGTH "${cell}" length)
      while(length LESS width)
        string(APPEND cell " ")
        math(EXPR length "${length} + 1")
      endwhile()
      list(APPEND line "${cell}")
    endforeach()
    list(JOIN line " | " text)
    message(STATUS "${text}")
  endforeach()
endfunction()
