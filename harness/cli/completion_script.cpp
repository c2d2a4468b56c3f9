// SPDX-License-Identifier: Apache-2.0
//
// The scripts. Descriptions hold quotes, brackets and colons: each shell has its own escapes.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <stdexcept>

#include "harness/cli/completion.h"
#include "harness/core/words.h"

namespace attest::cli {
namespace {

// The words that a validator or a description allows: "{warm,cold}" of CLI::IsMember, or "one of a,
// b, c" in the words of our own help.
std::vector<std::string> ValuesOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t open = type.find('{'), close = type.rfind('}');
  if (open != std::string::npos && close != std::string::npos && close > open)
    return Split(type.substr(open + 1, close - open - 1), ',');
  const std::string& description = option.get_description();
  constexpr std::string_view kList = "one of ";
  if (!description.starts_with(kList)) return {};
  std::vector<std::string> values;
  for (const std::string& word : Split(description.substr(kList.size()), ','))
    values.push_back(word.substr(word.find_first_not_of(' ')));
  return values;
}

OptionWords WordsOf(const CLI::Option& option) {
  OptionWords words;
  for (const std::string& name : option.get_snames()) words.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) words.names.push_back("--" + name);
  words.description = option.get_description();
  words.takes_value = option.get_items_expected_max() > 0;
  words.values = ValuesOf(option);
  return words;
}

CommandWord WordsOf(const CLI::App& parser, const std::string& name) {
  CommandWord command{name, parser.get_description(), {}, {}};
  for (const CLI::Option* option : parser.get_options()) {
    if (option->get_positional())
      command.values = ValuesOf(*option);
    else
      command.options.push_back(WordsOf(*option));
  }
  return command;
}

std::string Names(const CommandWord& command) {
  std::vector<std::string> names;
  for (const OptionWords& option : command.options)
    names.insert(names.end(), option.names.begin(), option.names.end());
  return fmt::format("{}", fmt::join(names, " "));
}

// 'text' for a POSIX shell.
std::string Quoted(const std::string& text) {
  std::string quoted = "'";
  for (char letter : text) quoted += letter == '\'' ? "'\\''" : std::string(1, letter);
  return quoted + "'";
}

// ---- bash ----

// case COMMAND:OPTION of options that take a value: their words, or files.
std::string BashValues(const std::vector<CommandWord>& commands) {
  std::string text;
  for (const CommandWord& command : commands)
    for (const OptionWords& option : command.options) {
      if (!option.takes_value) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : option.names)
        patterns.push_back(Quoted(command.name + ":" + name));
      text += fmt::format("    {}) values={} ;;\n", fmt::join(patterns, "|"),
                          option.values.empty()
                              ? "FILES"
                              : Quoted(fmt::format("{}", fmt::join(option.values, " "))));
    }
  return text;
}

std::string BashScript(const std::vector<CommandWord>& commands) {
  std::string names, options, words;
  for (const CommandWord& command : commands) {
    if (!command.name.empty()) names += (names.empty() ? "" : " ") + command.name;
    options += fmt::format("    {}) words={} ;;\n", Quoted(command.name), Quoted(Names(command)));
    if (!command.values.empty())
      words += fmt::format("    {}) words={} ;;\n", Quoted(command.name),
                           Quoted(fmt::format("{}", fmt::join(command.values, " "))));
  }
  return fmt::format(R"(# bash completion of attest; made by `attest completion bash`.
_attest() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
  local command='' values='' words='' word
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case $word in -*) ;; *) command=$word; break ;; esac
  done
  COMPREPLY=()
  case $command:$previous in
{}  esac
  if [[ $values == FILES ]]; then
    compopt -o default 2>/dev/null
    return
  fi
  if [[ -n $values ]]; then
    COMPREPLY=($(compgen -W "$values" -- "$current"))
    return
  fi
  if [[ $current == -* ]]; then
    case $command in
{}    esac
  elif [[ -z $command ]]; then
    words='{}'
  else
    case $command in
{}    *) compopt -o default 2>/dev/null; return ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -F _attest attest
)",
                     BashValues(commands), options, names, words);
}

// ---- zsh ----

// In a specification of _arguments ':' and brackets have a meaning.
std::string ZshEscaped(const std::string& text) {
  std::string escaped;
  for (char letter : text) {
    if (std::string_view("[]:\\").find(letter) != std::string_view::npos) escaped += '\\';
    escaped += letter;
  }
  return escaped;
}

std::string ZshOption(const std::string& name, const OptionWords& option) {
  std::string spec = fmt::format("*{}[{}]", name, ZshEscaped(option.description));
  if (option.takes_value)
    spec += option.values.empty() ? ":value:_files"
                                  : fmt::format(":value:({})", fmt::join(option.values, " "));
  return Quoted(spec);
}

std::string ZshScript(const std::vector<CommandWord>& commands) {
  std::string names, cases;
  for (const CommandWord& command : commands) {
    if (command.name.empty()) continue;
    names += fmt::format("    {}\n", Quoted(command.name + ":" + ZshEscaped(command.description)));
    cases += fmt::format("    {})\n      _arguments", command.name);
    for (const OptionWords& option : command.options)
      for (const std::string& name : option.names)
        cases += " \\\n        " + ZshOption(name, option);
    const std::string words =
        command.values.empty() ? "_files" : fmt::format("({})", fmt::join(command.values, " "));
    cases += fmt::format(" \\\n        '*:word:{}'\n      ;;\n", words);
  }
  return fmt::format(R"(#compdef attest
# zsh completion of attest; made by `attest completion zsh`.
_attest() {{
  local -a commands=(
{}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
{}  esac
}}
if [[ $funcstack[1] == _attest ]]; then
  _attest "$@"
else
  compdef _attest attest
fi
)",
                     names, cases);
}

// ---- fish ----

std::string FishQuoted(const std::string& text) {
  std::string quoted = "'";
  for (char letter : text) {
    if (letter == '\'' || letter == '\\') quoted += '\\';
    quoted += letter;
  }
  return quoted + "'";
}

std::string FishOption(const std::string& condition, const OptionWords& option) {
  std::string line = "complete -c attest -n " + condition;
  for (const std::string& name : option.names)
    line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  if (option.takes_value) line += " -r";
  if (!option.values.empty())
    line += " -f -a " + FishQuoted(fmt::format("{}", fmt::join(option.values, " ")));
  return line + " -d " + FishQuoted(option.description) + "\n";
}

std::string FishScript(const std::vector<CommandWord>& commands) {
  std::string text = "# fish completion of attest; made by `attest completion fish`.\n";
  for (const CommandWord& command : commands) {
    const std::string condition = command.name.empty()
                                      ? "__fish_use_subcommand"
                                      : FishQuoted("__fish_seen_subcommand_from " + command.name);
    if (!command.name.empty())
      text += fmt::format("complete -c attest -n __fish_use_subcommand -f -a {} -d {}\n",
                          command.name, FishQuoted(command.description));
    for (const OptionWords& option : command.options) text += FishOption(condition, option);
    if (!command.values.empty())
      text += fmt::format("complete -c attest -n {} -f -a {}\n", condition,
                          FishQuoted(fmt::format("{}", fmt::join(command.values, " "))));
  }
  return text;
}

}  // namespace

std::vector<CommandWord> CommandWords(const CLI::App& app) {
  std::vector<CommandWord> commands = {WordsOf(app, "")};
  for (const CLI::App* parser : app.get_subcommands([](const CLI::App*) { return true; }))
    commands.push_back(WordsOf(*parser, parser->get_name()));
  return commands;
}

std::string CompletionScript(const std::vector<CommandWord>& commands, const std::string& shell) {
  if (shell == "bash") return BashScript(commands);
  if (shell == "fish") return FishScript(commands);
  if (shell == "zsh") return ZshScript(commands);
  const std::vector<std::string> known = {"bash", "fish", "zsh"};
  if (shell.empty()) throw std::invalid_argument("completion needs a shell: bash, fish or zsh");
  throw std::invalid_argument(UnknownWord("shell", shell, known));
}

}  // namespace attest::cli
