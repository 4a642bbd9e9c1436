#include "engine/cache/copied_files.hpp"

#include <string_view>

#include "engine/steps/copy.hpp"

namespace kiln::engine {

namespace {

// A file by its name, of a directory what is in it.
void list_match(const Tree& context, const SourceMatch& match, Listing& listing) {
  if (!context.view(match.path).is_directory()) {
    listing.part(match.name);
    const Node node = *context.find(match.path);
    listing.add(match.name, node);
    listing.tell(match.path, node);
    return;
  }
  listing.part("");
  const std::size_t skipped = match.path.empty() ? 0 : match.path.size() + 1;
  context.walk(match.path, [&](const std::string& path, const Node& node) {
    if (path == match.path) return true;
    listing.add(std::string_view(path).substr(skipped), node);
    listing.tell(path, node);
    return true;
  });
}

// Where rules say what is taken of a directory, it is what a COPY into an empty root makes.
void list_made(const CopyStep& step, const std::string& source, const Tree& context, Listing& listing) {
  Tree made;
  CopyRules rules;
  rules.take = [&listing](const std::string& path, const Node& node) { listing.tell(path, node); };
  CopyOperation operation(made, std::move(rules));
  const std::string directory = step.destination + "/";  // so that every file has a name of its own
  const IgnoreMatcher excludes = IgnoreMatcher::from_patterns(step.excludes);
  if (step.parents) {
    operation.copy_with_parents(context, source, directory, excludes);
  } else {
    operation.copy(context, source, directory, excludes);
  }
  for (const auto& change : operation.take_changes()) {
    Node node = *made.find(change.path);
    if (node.content.directory) node.stamp = context.find(node.content.path)->stamp;
    listing.add(change.path, node);
  }
}

}  // namespace

void list_copied_files(const CopyStep& step, const std::string& source, const Tree& context, Listing& listing) {
  listing.part(source);
  if (step.parents || !step.excludes.empty()) {
    list_made(step, source, context, listing);
    return;
  }
  for (const auto& match : expand_source(context, source)) list_match(context, match, listing);
}

}  // namespace kiln::engine
