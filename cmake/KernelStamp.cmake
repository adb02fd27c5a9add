# A stamp that changes with what packs weights and reads them. Included: a rule that makes kernel_stamp.h, after a change of those sources only, and
# recompiles the one file that includes it. Run as a script (OUT, LIST: a file of paths): writes the header.
if(CMAKE_SCRIPT_MODE_FILE)
  file(STRINGS ${LIST} sources)
  foreach(source ${sources})
    file(SHA256 ${source} hash)
    string(APPEND all ${hash})
  endforeach()
  string(SHA256 all "${all}")
  string(SUBSTRING ${all} 0 16 all)
  file(WRITE ${OUT} "#define MAINSPRING_KERNEL_STAMP \"${all}\"\n")
  return()
endif()

file(GLOB_RECURSE sources CONFIGURE_DEPENDS cpu/*.cpp cpu/*.h cpu/*.inc lib/quant/*.cpp lib/quant/*.h lib/quant/*.inc)
list(SORT sources)
set(stamp_folder ${PROJECT_BINARY_DIR}/generated)
list(JOIN sources "\n" lines)
file(CONFIGURE OUTPUT ${stamp_folder}/kernel_sources.txt CONTENT "${lines}\n" @ONLY)
add_custom_command(OUTPUT ${stamp_folder}/kernel_stamp.h
  COMMAND ${CMAKE_COMMAND} -DOUT=${stamp_folder}/kernel_stamp.h -DLIST=${stamp_folder}/kernel_sources.txt -P ${CMAKE_CURRENT_LIST_FILE}
  DEPENDS ${sources} ${stamp_folder}/kernel_sources.txt ${CMAKE_CURRENT_LIST_FILE} VERBATIM)
target_sources(mainspring PRIVATE ${stamp_folder}/kernel_stamp.h)
set_source_files_properties(lib/plan/cache.cpp PROPERTIES INCLUDE_DIRECTORIES ${stamp_folder})
