#include "engine/build/context_reads.hpp"

#include <algorithm>
#include <map>

#include <spdlog/spdlog.h>

#include "engine/build/steps.hpp"
#include "engine/cache/copied_files.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

using io::Task;

// A name is empty for the build context.
bool is_directory(const Session& session, const std::string& name) {
  return name.empty() || session.request.named_contexts.at(name).starts_with('/');
}

bool may_change(const Session& session, const std::optional<Source>& from) {
  return !from || (from->kind == Source::Kind::context && is_directory(session, from->context));
}

// One that has read nothing yet.
Context open_again(const Session& session, const std::string& name) {
  return name.empty() ? session.context->again() : session.named_contexts.at(name).again();
}

Task<std::string> state_of(Session& session, Context& context, const CopyStep& step) {
  Listing listing(session.file_memory.get());
  for (const auto& source : step.sources) {
    Tree tree;
    if (step.from) {
      tree = co_await context.scan(session.runtime, "");
    } else {
      tree = co_await scan_source(session.runtime, context, step, source);
    }
    const auto list = [&] { list_copied_files(step, source, tree, listing); };
    co_await io::offload(session.runtime.cpu(), list);
  }
  co_return listing.state();
}

}  // namespace

bool reads_context(const Session& session, const Step& step) {
  if (const auto* copy = std::get_if<CopyStep>(&step.action)) return may_change(session, copy->from);
  const auto* run = std::get_if<RunStep>(&step.action);
  return run && std::ranges::any_of(run->mounts, [&](const RunMount& mount) {
           return mount.mount.type == Mount::Type::bind && may_change(session, mount.from);
         });
}

Task<std::string> ContextReads::find_changed(Session& session) const {
  std::map<std::string, Context> contexts;
  for (std::size_t i = 0; i < reads_.size(); ++i) {  // a stage that is prepared late adds to them meanwhile
    const Read read = reads_[i];
    const std::string name = read.step.from ? read.step.from->context : "";
    if (!is_directory(session, name)) continue;
    const std::string source = read.step.sources.empty() ? "" : read.step.sources.front();
    std::string state;
    try {
      auto context = contexts.find(name);
      if (context == contexts.end()) context = contexts.emplace(name, open_again(session, name)).first;
      context->second.remember_in(session.file_memory.get());
      state = co_await state_of(session, context->second, read.step);
    } catch (const io::Error& error) {
      if (error.kind() == io::ErrorKind::cancelled) throw;
      spdlog::debug("'{}' cannot be read again: {}", source, error.message());
    }
    if (state != read.state) co_return source;
  }
  co_return "";
}

}  // namespace kiln::engine
