// SPDX-License-Identifier: Apache-2.0
#include "harness/judge/backends.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "harness/core/threads.h"
#include "harness/core/words.h"
#include "reference/oracle.h"

namespace attest::judge {
namespace {

// "opencl:*@1" in its parts; an absent part matches everything.
struct Pattern {
  std::string backend, variant = "*", device = "*";
};

Pattern ParsePattern(std::string text) {
  Pattern pattern;
  if (const size_t at = text.find('@'); at != std::string::npos) {
    pattern.device = text.substr(at + 1);
    text.resize(at);
  }
  if (const size_t colon = text.find(':'); colon != std::string::npos) {
    pattern.variant = text.substr(colon + 1);
    text.resize(colon);
  }
  pattern.backend = text;
  return pattern;
}

bool Matches(const Pattern& pattern, const Contender& contender) {
  // A backend's pattern means it with any number of threads.
  return MatchesGlob(pattern.backend, SplitThreads(contender.backend).backend) &&
         MatchesGlob(pattern.variant, contender.variant) &&
         MatchesGlob(pattern.device, std::to_string(contender.host->device()));
}

bool Wanted(const Settings& settings, const PluginFile& file) {
  if (settings.patterns.empty()) return settings.with_peers || !file.on_request;
  return std::any_of(
      settings.patterns.begin(), settings.patterns.end(),
      [&](const std::string& text) { return MatchesGlob(ParsePattern(text).backend, file.name); });
}

report::Contract ContractOf(const protocol::ContractReply& reply) {
  const attest_contract& contract = reply.contract;
  return {std::string(DtypeName(reply.dtype)),
          std::string(FormatName(contract.accumulate)),
          std::string(FormatName(contract.operands)),
          std::string(FormatName(contract.scores)),
          std::string(FormatName(contract.probabilities)),
          contract.exp_relative_error,
          (contract.flags & ATTEST_CONTRACT_NONDETERMINISTIC) != 0,
          (contract.flags & ATTEST_CONTRACT_MASKED_NAN_SAFE) != 0,
          std::string(FormatName(contract.projections)),
          (contract.flags & ATTEST_CONTRACT_FLUSHES_SUBNORMALS) != 0};
}

void Describe(const protocol::LoadReply& reply, report::Backend& backend) {
  backend.state = report::BackendState::kLoaded;
  backend.name = reply.backend;
  backend.library = reply.library;
  backend.library_version = reply.library_version;
  backend.runtime = reply.runtime;
  backend.abi = fmt::format("{}.{}", reply.abi_version >> 16, reply.abi_version & 0xffff);
  backend.floating_point_environment = reply.floating_point_environment;
  for (size_t i = 0; i < reply.devices.size(); ++i)
    backend.devices.push_back({static_cast<uint32_t>(i), reply.devices[i].name,
                               reply.devices[i].driver, reply.devices[i].kind,
                               reply.devices[i].memory_bytes, reply.devices[i].extensions});
  for (const protocol::VariantReply& variant : reply.variants) {
    report::Variant row{variant.name, variant.description, {}};
    for (const auto& contract : variant.contracts) row.contracts.push_back(ContractOf(contract));
    backend.variants.push_back(std::move(row));
  }
}

// Why a loaded backend cannot be judged: a contract that contradicts itself; "" = it can.
std::string BadContract(const protocol::LoadReply& reply) {
  for (const protocol::VariantReply& variant : reply.variants)
    for (const protocol::ContractReply& contract : variant.contracts) {
      try {
        (void)reference::RoundingOf(contract.contract, contract.dtype, ATTEST_OP_SELF_ATTENTION);
      } catch (const std::invalid_argument& error) {
        return fmt::format("variant '{}', {}: {}", variant.name, DtypeName(contract.dtype),
                           error.what());
      }
    }
  return "";
}

void AddVariants(const protocol::LoadReply& reply, const std::string& name,
                 const std::shared_ptr<Host>& host, std::vector<Contender>& contenders) {
  for (uint32_t i = 0; i < reply.variants.size(); ++i) {
    const protocol::VariantReply& variant = reply.variants[i];
    contenders.push_back({name, variant.name, ResultLabel(name, variant.name, host->device()),
                          reply.devices[host->device()].kind, variant.expected_implementations, i,
                          host, variant.contracts});
  }
}

void AddContenders(const Settings& settings, const PluginFile& file,
                   const protocol::LoadReply& reply, const std::shared_ptr<Host>& first,
                   std::vector<Contender>& contenders) {
  for (uint32_t device = 0; device < reply.devices.size(); ++device) {
    const auto host = [&](unsigned threads) {
      return std::make_shared<Host>(settings, file.path, device, threads);
    };
    AddVariants(reply, reply.backend, device == 0 ? first : host(settings.threads), contenders);
    if (reply.devices[device].kind != "cpu") continue;
    for (const unsigned fewer : settings.fewer_threads)
      AddVariants(reply, NameWithThreads(reply.backend, fewer), host(fewer), contenders);
  }
}

// Why a backend cannot have its name; "" = it can.
std::string BadName(const std::string& name, std::set<std::string>& names) {
  if (SplitThreads(name).fewer != 0)
    return fmt::format("'{}' means {} started with {} of more threads: choose another label", name,
                       SplitThreads(name).backend, SplitThreads(name).fewer);
  if (!names.insert(name).second) return fmt::format("a second plugin calls itself '{}'", name);
  return "";
}

// One row; contenders only where it loaded.
report::Backend LoadBackend(const Settings& settings, const PluginFile& file,
                            std::set<std::string>& names, std::vector<Contender>& contenders) {
  report::Backend backend;
  backend.name = file.name;
  backend.path = file.path;
  backend.reason = file.reject;
  if (!file.reject.empty()) return backend;
  const auto host = std::make_shared<Host>(settings, file.path, 0, settings.threads);
  try {
    const protocol::Reply& reply = host->Load();
    backend.reason = reply.message;
    if (reply.status == "unavailable") backend.state = report::BackendState::kUnavailable;
    if (reply.status != "ok") return backend;
    auto body = std::get<protocol::LoadReply>(reply.body);
    if (!file.label.empty()) body.backend += "-" + file.label;
    backend.reason = BadContract(body);
    if (backend.reason.empty()) backend.reason = BadName(body.backend, names);
    if (!backend.reason.empty()) return backend;
    Describe(body, backend);
    AddContenders(settings, file, body, host, contenders);
  } catch (const WorkerLost& lost) {
    backend.reason = lost.what();
  }
  return backend;
}

void RequireKnown(const Settings& settings, const Field& field) {
  std::vector<std::string> known;
  for (const report::Backend& backend : field.backends) known.push_back(backend.name);
  for (const PluginFile& file : settings.plugins) known.push_back(file.name);
  for (const Contender& contender : field.contenders) known.push_back(contender.label);
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  for (const std::string& text : settings.patterns) {
    const Pattern pattern = ParsePattern(text);
    const bool contender = std::any_of(field.contenders.begin(), field.contenders.end(),
                                       [&](const Contender& c) { return Matches(pattern, c); });
    const bool absent =
        std::any_of(field.backends.begin(), field.backends.end(), [&](const report::Backend& b) {
          return b.state != report::BackendState::kLoaded && MatchesGlob(pattern.backend, b.name);
        });
    if (!contender && !absent && !known.empty())
      throw std::invalid_argument(UnknownWord("backend", text, known));
  }
}

}  // namespace

Field Assemble(const Settings& settings, const Hooks& hooks) {
  Field field;
  std::set<std::string> names;
  for (const PluginFile& file : settings.plugins) {
    if (!Wanted(settings, file)) continue;
    field.backends.push_back(LoadBackend(settings, file, names, field.contenders));
    const report::Backend& backend = field.backends.back();
    if (backend.state != report::BackendState::kLoaded && hooks.warning)
      hooks.warning(fmt::format("{} {}: {} ({})", backend.name,
                                report::BackendStateName(backend.state), backend.reason,
                                backend.path));
  }
  RequireKnown(settings, field);
  std::erase_if(field.contenders, [&](const Contender& contender) {
    return !settings.patterns.empty() &&
           std::none_of(
               settings.patterns.begin(), settings.patterns.end(),
               [&](const std::string& text) { return Matches(ParsePattern(text), contender); });
  });
  std::stable_sort(field.contenders.begin(), field.contenders.end(),
                   [](const Contender& a, const Contender& b) { return a.label < b.label; });
  return field;
}

}  // namespace attest::judge
