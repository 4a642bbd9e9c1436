#include "engine/dockerfile/history_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/dockerfile/durations.hpp"
#include "engine/dockerfile/text.hpp"

namespace kiln::engine::dockerfile {

std::string history_of_run(const std::vector<std::string>& args, const std::vector<std::string>& words) {
  std::string text = "RUN ";
  if (!args.empty()) text += fmt::format("|{} {} ", args.size(), fmt::join(args, " "));
  return text + fmt::format("{} # buildkit", fmt::join(words, " "));
}

std::string history_of_pairs(const std::string& keyword, const std::vector<KeyValue>& pairs) {
  std::string text = keyword;
  for (const auto& pair : pairs) {
    text += " " + pair.key;
    if (pair.value) text += "=" + *pair.value;
  }
  return text;
}

std::string history_of_command(const std::string& keyword, const std::vector<std::string>& words) {
  std::vector<std::string> all;
  for (const auto& word : words) all.push_back(go_quoted(word));
  return fmt::format("{} [{}]", keyword, fmt::join(all, " "));
}

std::string history_of_expose(const std::set<std::string>& ports) { return fmt::format("EXPOSE [{}]", fmt::join(ports, " ")); }
std::string history_of_volume(const std::vector<std::string>& paths) { return fmt::format("VOLUME [{}]", fmt::join(paths, " ")); }
std::string history_of_shell(const std::vector<std::string>& words) { return fmt::format("SHELL [{}]", fmt::join(words, " ")); }

std::string history_of_healthcheck(const std::vector<std::string>& test, const HealthcheckInstruction& check) {
  return fmt::format("HEALTHCHECK {{Test:[{}] Interval:{} Timeout:{} StartPeriod:{} StartInterval:{} Retries:{}}}",
                     fmt::join(test, " "), format_duration(check.interval), format_duration(check.timeout),
                     format_duration(check.start_period), format_duration(check.start_interval), check.retries);
}

std::string history_of_copy(const CopyHistory& copy) {
  std::string text = copy.is_add ? "ADD" : "COPY";
  if (copy.parents) text += " --parents";
  if (copy.chown) text += " --chown=" + *copy.chown;
  if (copy.chmod) text += " --chmod=" + *copy.chmod;
  return text + fmt::format(" {} {} # buildkit", fmt::join(copy.sources, " "), copy.destination);
}

}  // namespace kiln::engine::dockerfile
