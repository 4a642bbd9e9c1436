#include "engine/cache/cache_report.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace kiln::engine {

namespace {

using PartChange = InputDifference::Change;
using Json = nlohmann::ordered_json;

constexpr std::size_t most_told = 1000;  // differences in JSON

// What of a file: "100 12345678" are mode and content.
bool only_mode(const InputDifference& difference) {
  const auto content = [](const std::string& state) {
    return std::string_view(state).substr(std::min(state.find(' '), state.size()));
  };
  const auto type = [](const std::string& state) { return state.substr(0, 1); };
  return difference.change == PartChange::changed && content(difference.before).size() > 1 &&
         content(difference.before) == content(difference.after) && type(difference.before) == type(difference.after);
}

std::string name_of(const InputPart& part) {
  const std::string& name = part.name;
  if (part.kind == "command") return "the command";
  if (part.kind == "user") return "the user";
  if (part.kind == "sources") return "the list of sources";
  if (part.kind == "files") return "what it reads";
  if (part.kind == "destination") return "the destination";
  if (part.kind == "workdir") return "the working directory";
  if (part.kind == "directory" && name.empty()) return "what it reads";
  if (part.kind == "settings") return "how layers are written (compression, times, ignored paths)";
  if (part.kind == "base") return "the base";
  if (part.kind == "git") return "the commit of " + name;
  if (part.kind == "file" || part.kind == "directory" || part.kind == "option") return name;
  return part.kind + " " + name;
}

std::string text_of(const InputDifference& difference) {
  const std::string name = name_of(difference.part);
  if (difference.part.kind == "base") return fmt::format("the base is {} and was {}", difference.after, difference.before);
  const bool moved = difference.part.kind == "git" && difference.change == PartChange::changed;
  if (moved) return fmt::format("{} is {} and was {}", name, difference.after, difference.before);
  if (difference.part.kind == "secret") return fmt::format("{} is {} and was {}", name, difference.after, difference.before);
  if (difference.part.kind == "stage") return fmt::format("{}, which it stands on, is not from the cache", name);
  if (only_mode(difference)) return fmt::format("the mode of {} changed", name);
  switch (difference.change) {
    case PartChange::changed: return name + " changed";
    case PartChange::added: return name + " is new";
    case PartChange::removed: return name + " is gone";
  }
  return name;
}

std::string_view word_for(MissReason reason) {
  switch (reason) {
    case MissReason::changed: return "changed";
    case MissReason::earlier: return "earlier-step";
    case MissReason::source: return "stage";
    case MissReason::gone: return "gone";
    case MissReason::unknown: return "new";
    case MissReason::uncached: return "not-cached";
  }
  return "";
}

std::string reason_text(const MissedStep& missed, std::size_t most) {
  switch (missed.reason) {
    case MissReason::changed:
    case MissReason::source: {
      if (missed.differences.empty()) return "a stage that it stands on runs again";
      std::string text;
      const std::size_t named = std::min(most, missed.differences.size());
      for (std::size_t i = 0; i < named; ++i) text += (i == 0 ? "" : ", ") + text_of(missed.differences[i]);
      if (named < missed.differences.size()) text += fmt::format(", and {} more", missed.differences.size() - named);
      return text;
    }
    case MissReason::earlier: return "the step before it runs again";
    case MissReason::gone: return "nothing changed, but its entry is not there: not written, deleted, too old or damaged";
    case MissReason::unknown: return missed.note.empty() ? "no earlier build has one like it" : missed.note;
    case MissReason::uncached: return missed.note;
  }
  return {};
}

Json to_json(const InputDifference& difference) {
  constexpr const char* changes[] = {"changed", "added", "removed"};
  Json json = {{"kind", difference.part.kind},
               {"name", difference.part.name},
               {"change", changes[static_cast<std::size_t>(difference.change)]}};
  if (!difference.before.empty()) json["before"] = difference.before;
  if (!difference.after.empty()) json["after"] = difference.after;
  return json;
}

Json to_json(const MissedStep& missed) {
  Json json = {{"stage", missed.stage},
               {"index", missed.index},
               {"count", missed.count},
               {"step", missed.step},
               {"reason", word_for(missed.reason)},
               {"text", reason_text(missed, 3)}};
  if (!missed.nearest.empty()) json["nearest"] = missed.nearest;
  if (!missed.nearest_step.empty()) json["nearestStep"] = missed.nearest_step;
  json["differences"] = Json::array();
  for (const auto& difference : missed.differences) {
    if (json["differences"].size() == most_told) break;
    json["differences"].push_back(to_json(difference));
  }
  if (missed.differences.size() > most_told) json["more"] = missed.differences.size() - most_told;
  return json;
}

}  // namespace

std::string describe(const MissedStep& missed, std::size_t most) {
  std::string text = fmt::format("{}: {}", missed.step, reason_text(missed, most));
  if (!missed.nearest_step.empty()) text += fmt::format(" (since {})", missed.nearest_step);
  return text;
}

std::string report_text(const CacheReport& report) {
  std::string text = fmt::format("{} of {} steps are in the cache\n", report.cached, report.steps);
  for (const auto& missed : report.missed) {
    text += fmt::format("[{} {}/{}] {}\n", missed.stage, missed.index, missed.count, describe(missed, 20));
  }
  return text;
}

std::string report_json(const CacheReport& report) {
  Json json = {{"steps", report.steps}, {"cached", report.cached}, {"missed", Json::array()}};
  for (const auto& missed : report.missed) json["missed"].push_back(to_json(missed));
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace kiln::engine
