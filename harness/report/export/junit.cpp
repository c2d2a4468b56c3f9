// SPDX-License-Identifier: Apache-2.0
//
// JUnit's XML by pugixml, which escapes; what XML 1.0 has no way to write is left out before.
#include <fmt/format.h>

#include <map>
#include <pugixml.hpp>
#include <sstream>

#include "harness/report/export/export.h"
#include "harness/report/export/timed.h"
#include "harness/report/format.h"
#include "harness/report/statistics.h"

namespace attest::report {
namespace {

struct Suite {
  std::string label, dtype;
  std::vector<std::pair<const CellRecord*, const Result*>> cases;
};

// U+FFFE and U+FFFF, the two code points above U+001F that XML forbids; OneLine takes the others.
std::string XmlText(std::string_view text) {
  std::string clean = OneLine(text);
  for (const std::string_view forbidden : {"\xEF\xBF\xBE", "\xEF\xBF\xBF"})
    for (size_t at; (at = clean.find(forbidden)) != std::string::npos;)
      clean.replace(at, forbidden.size(), 1, '?');
  return clean;
}

// Plain decimals; microseconds are too coarse for small cells.
std::string Seconds(double seconds) { return fmt::format("{:.9f}", seconds); }

// Of one call; a result without a published time took none that is known.
double TimeOf(const Result& result) {
  const Timing* timing = TimingOf(result);
  return timing ? Median(timing->samples_seconds) : 0;
}

enum class Kind { kPass, kFailure, kError, kSkipped };

Kind KindOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
    case Verdict::kSuspicious:
      return Kind::kPass;
    case Verdict::kFail:
    case Verdict::kVacuous:
      return Kind::kFailure;
    case Verdict::kUnsupported:
    case Verdict::kSkipped:
      return Kind::kSkipped;
    default:
      return Kind::kError;
  }
}

// Labels in the order of the report.
std::vector<Suite> SuitesOf(const Report& report) {
  std::vector<Suite> suites;
  std::map<std::pair<std::string, std::string>, size_t> known;
  for (const CellRecord& cell : report.cells)
    for (const Result& result : cell.results) {
      const std::string dtype(DtypeName(cell.cell.problem.dtype));
      const auto [found, is_new] = known.try_emplace({LabelOf(result), dtype}, suites.size());
      if (is_new) suites.push_back({LabelOf(result), dtype, {}});
      suites[found->second].cases.emplace_back(&cell, &result);
    }
  return suites;
}

void AddCase(const std::string& suite, const CellRecord& cell, const Result& result,
             pugi::xml_node parent) {
  pugi::xml_node node = parent.append_child("testcase");
  node.append_attribute("name") = XmlText(cell.id).c_str();
  node.append_attribute("classname") = suite.c_str();
  node.append_attribute("time") = Seconds(TimeOf(result)).c_str();
  constexpr const char* kElements[] = {"", "failure", "error", "skipped"};
  const Kind kind = KindOf(result.verdict);
  if (kind == Kind::kPass) return;
  pugi::xml_node outcome = node.append_child(kElements[static_cast<size_t>(kind)]);
  const std::string verdict(VerdictName(result.verdict)), reason = XmlText(result.reason);
  outcome.append_attribute("message") = (verdict + ": " + reason).c_str();
  if (kind != Kind::kSkipped) outcome.append_attribute("type") = verdict.c_str();
  if (!result.reproduce.empty())
    outcome.append_child(pugi::node_pcdata).set_value(XmlText(result.reproduce).c_str());
}

void AddCounts(const Suite& suite, pugi::xml_node node) {
  size_t counts[4] = {};
  double seconds = 0;
  for (const auto& [cell, result] : suite.cases) {
    ++counts[static_cast<size_t>(KindOf(result->verdict))];
    seconds += TimeOf(*result);
  }
  node.append_attribute("tests") = suite.cases.size();
  node.append_attribute("failures") = counts[1];
  node.append_attribute("errors") = counts[2];
  node.append_attribute("skipped") = counts[3];
  node.append_attribute("time") = Seconds(seconds).c_str();
}

void AddProperties(const Report& report, pugi::xml_node parent) {
  pugi::xml_node properties = parent.append_child("properties");
  for (const auto& [name, value] :
       {std::pair("machine", report.machine.slug), std::pair("processor", report.machine.cpu.model),
        std::pair("commit", report.build.commit)}) {
    pugi::xml_node property = properties.append_child("property");
    property.append_attribute("name") = name;
    property.append_attribute("value") = XmlText(value).c_str();
  }
}

void AddSuite(const Report& report, const Suite& suite, size_t index, pugi::xml_node parent) {
  const std::string name = XmlText(fmt::format("attest.{}.{}", suite.label, suite.dtype));
  const std::string host = XmlText(report.machine.host_name);
  pugi::xml_node node = parent.append_child("testsuite");
  node.append_attribute("name") = name.c_str();
  node.append_attribute("package") = "attest";
  node.append_attribute("id") = index;
  // The schema allows no zone.
  node.append_attribute("timestamp") =
      (report.date.size() < 19 ? "1970-01-01T00:00:00" : report.date.substr(0, 19)).c_str();
  node.append_attribute("hostname") = host.empty() ? "localhost" : host.c_str();
  AddCounts(suite, node);
  AddProperties(report, node);
  for (const auto& [cell, result] : suite.cases) AddCase(name, *cell, *result, node);
  node.append_child("system-out");
  node.append_child("system-err");
}

}  // namespace

std::string ExportJunit(const Report& report) {
  pugi::xml_document document;
  pugi::xml_node declaration = document.append_child(pugi::node_declaration);
  declaration.append_attribute("version") = "1.0";
  declaration.append_attribute("encoding") = "UTF-8";
  pugi::xml_node root = document.append_child("testsuites");
  const std::vector<Suite> suites = SuitesOf(report);
  for (size_t i = 0; i < suites.size(); ++i) AddSuite(report, suites[i], i, root);
  std::ostringstream text;
  document.save(text, "  ");
  return text.str();
}

}  // namespace attest::report
