// SPDX-License-Identifier: Apache-2.0
//
// Reading a whole report: whose it is, which version, then its parts.
#include <fmt/format.h>

#include <charconv>
#include <stdexcept>

#include "harness/report/json.h"
#include "harness/report/json_reader.h"

namespace attest::report {
namespace {

int MajorOf(const Node& node) {
  std::string version;
  Read(node, version);
  int major = -1;
  const auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), major);
  if (error != std::errc() || end == version.data() + version.size() || *end != '.' || major < 0)
    node.Fail(fmt::format("'{}' is no version such as {}", version, kSchemaVersion));
  return major;
}

void CheckKind(const Node& root) {
  if (root.json->is_object() && root.json->contains("attest")) return;
  const bool benchmarks = root.json->is_object() && root.json->contains("benchmarks");
  throw std::runtime_error(
      root.path + (benchmarks
                       ? " is a Google Benchmark report of another tool: it has no \"attest\" part"
                       : " is JSON, but no report: it has neither \"benchmarks\" nor \"attest\""));
}

void CheckVersion(const Node& attest, const std::string& source) {
  constexpr int kMajor = 1;
  const Node version = attest.Require("schema_version");
  const int major = MajorOf(version);
  if (major != kMajor)
    throw std::runtime_error(fmt::format(
        "{} has schema version {}, but this attest reads {}.x: use the attest that wrote it{}",
        source, version.json->get<std::string>(), kMajor, major > kMajor ? " or a newer one" : ""));
}

void ReadContext(const Node& context, Report& report) {
  if (const Node date = context.Find("date"); date.json) Read(date, report.date);
  if (const Node host = context.Find("host_name"); host.json) Read(host, report.machine.host_name);
  const Node load = context.Find("load_avg");
  if (!load.json) return;
  std::vector<double> values;
  ReadMember(context, load, "load_avg", values);
  for (size_t i = 0; i < std::min(values.size(), report.machine.load_average.size()); ++i)
    report.machine.load_average[i] = values[i];
}

void ReadCeilings(const Node& node, std::vector<Ceiling>& ceilings) {
  if (!node.json->is_object()) node.Fail("an object is needed");
  for (const auto& [name, value] : node.json->items()) {
    Ceiling ceiling;
    ceiling.name = name;
    ReadFields(Node{&value, node.path + "." + name}, ceiling);
    ceilings.push_back(ceiling);
  }
}

void ReadDurations(const Node& node, Summary& summary) {
  for (auto [key, value] : {std::pair("duration_seconds", &summary.duration_seconds),
                            std::pair("verification_seconds", &summary.verification_seconds)})
    if (const Node member = node.Find(key); member.json) ReadMember(node, member, key, *value);
}

template <class Value>
void ReadPart(const Node& attest, const char* key, Value& value) {
  if (const Node part = attest.Find(key); part.json) Read(part, value);
}

}  // namespace

Report ReadJson(std::string_view text, std::string_view source) {
  const Json json = ParseJson(text, source);
  const Node root{&json, std::string(source)};
  CheckKind(root);
  const Node attest = root.Require("attest");
  CheckVersion(attest, root.path);
  Report report;
  if (const Node context = root.Find("context"); context.json) ReadContext(context, report);
  ReadPart(attest, "complete", report.complete);
  ReadPart(attest, "machine", report.machine);
  ReadPart(attest, "build", report.build);
  ReadPart(attest, "policy", report.policy);
  if (const Node part = attest.Find("ceilings"); part.json) ReadCeilings(part, report.ceilings);
  ReadPart(attest, "backends", report.backends);
  Read(attest.Require("cells"), report.cells);
  ReadPart(attest, "studies", report.studies);
  if (const Node part = attest.Find("summary"); part.json) ReadDurations(part, report.summary);
  Summarize(report.cells, report.summary);  // counts follow from the cells
  return report;
}

}  // namespace attest::report
