# Neighbours compiled together (CMake's unity build): headers and templates that they share are read and instantiated once, which
# saves about half of a build from nothing. Only files of one folder meet, so names that a file keeps to itself must differ within
# its folder. The sanitizers' presets and 'dev' compile each file alone, so that what one owes to its neighbours is found out; editors
# and clang-tidy want their compile_commands.json. A new file moves its later neighbours to other groups, which compiles those again.
set(KILN_TOGETHER 0 CACHE STRING "How many files of a folder are compiled together at most; 0: each alone")
if(NOT KILN_TOGETHER MATCHES "^[0-9]+$")
  message(FATAL_ERROR "KILN_TOGETHER=${KILN_TOGETHER}: it is a number of files")
endif()
if(KILN_TOGETHER)
  target_compile_options(kiln_flags INTERFACE -Wno-shadow)  # a parameter may be called like a neighbour's constant
endif()

# kiln_compile_together(TARGET), of the folder that calls this.
function(kiln_compile_together target)
  if(NOT KILN_TOGETHER)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  list(SORT sources)
  foreach(source IN LISTS sources)
    cmake_path(GET source PARENT_PATH folder)
    cmake_path(RELATIVE_PATH folder BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
    string(MAKE_C_IDENTIFIER "${folder}" folder)
    math(EXPR group "0${${folder}_count} / ${KILN_TOGETHER}")
    math(EXPR ${folder}_count "0${${folder}_count} + 1")
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${folder}_${group})
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()
