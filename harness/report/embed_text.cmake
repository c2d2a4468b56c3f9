# SPDX-License-Identifier: Apache-2.0
# Writes `output`, a C++ source whose SchemaText() is the text of `input`. In pieces, because compilers
# limit the length of one literal.
file(READ ${input} text)
string(LENGTH "${text}" length)
set(pieces "")
foreach(start RANGE 0 ${length} 8000)
  string(SUBSTRING "${text}" ${start} 8000 piece)
  string(APPEND pieces "R\"SCHEMA(${piece})SCHEMA\"\n")
endforeach()
file(WRITE ${output} "#include \"harness/report/json.h\"

namespace attest::report {

std::string_view SchemaText() {
  static constexpr std::string_view kText =
${pieces};
  return kText;
}

}  // namespace attest::report
")
