# SPDX-License-Identifier: Apache-2.0
# Writes `output` from `template` with the commit of `source` as git tells it now; "unknown" without git,
# or where the sources are no repository of their own (an archive unpacked inside another one).
set(commit unknown)
set(dirty false)
find_program(git git)
if(git AND EXISTS ${source}/.git)
  # The optional lock is left alone: a build must not get in the way of a commit.
  set(command ${CMAKE_COMMAND} -E env GIT_OPTIONAL_LOCKS=0 ${git} -C ${source})
  execute_process(COMMAND ${command} rev-parse HEAD OUTPUT_VARIABLE head RESULT_VARIABLE failed
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT failed)
    set(commit ${head})
    execute_process(COMMAND ${command} status --porcelain --untracked-files=no
                    OUTPUT_VARIABLE changes ERROR_QUIET)
    if(NOT changes STREQUAL "")
      set(dirty true)
    endif()
  endif()
endif()
configure_file(${template} ${output} @ONLY)  # leaves an equal file as it is
