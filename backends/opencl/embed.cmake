# SPDX-License-Identifier: Apache-2.0
# cmake -DOUTPUT=file.cpp -DFOLDER=folder -DFILES="a.cl;b.h" -P embed.cmake
# Writes a C++ file that defines KernelFile(name) over the text of those files.
set(text "// Made by embed.cmake; edit the .cl files instead.\n#include \"program.h\"\n\n")
string(APPEND text "namespace attest::opencl {\n\nconst KernelFile kKernelFiles[] = {\n")
foreach(file IN LISTS FILES)
  file(READ "${FOLDER}/${file}" content)
  string(APPEND text "    {\"${file}\", R\"opencl_c(${content})opencl_c\"},\n")
endforeach()
string(APPEND text "    {nullptr, nullptr}};\n\n}  // namespace attest::opencl\n")
file(WRITE "${OUTPUT}" "${text}")
