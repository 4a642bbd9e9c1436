#include "engine/cache/file_index.hpp"

#include <charconv>
#include <string_view>

#include <fmt/format.h>

#include "engine/cache/key.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

constexpr const char* content_attribute = "trusted.kiln.content";
constexpr std::uint64_t largest_whole = 16U << 20U;

// The value of the attribute: SIZE [LAYER [PATH]].
struct Place {
  std::uint64_t size = 0;
  std::size_t layer = 0;
  std::string path;  // empty: the entry's
};

std::string text_of(const Place& place) {
  if (!place.path.empty()) return fmt::format("{} {} {}", place.size, place.layer, place.path);
  return place.layer > 0 ? fmt::format("{} {}", place.size, place.layer) : std::to_string(place.size);
}

template <class Number>
bool take_number(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.empty()) return true;
  if (text.front() != ' ') return false;
  text.remove_prefix(1);
  return true;
}

Place place_of(std::string_view text, const std::string& path) {
  Place place;
  if (!take_number(text, place.size) || (!text.empty() && !take_number(text, place.layer))) {
    throw io::Error(io::ErrorKind::integrity, fmt::format("the index does not tell where '{}' is", path));
  }
  place.path = text;
  return place;
}

// The node as it is in the index.
Node bare_node(Node node, const Place& place) {
  auto attributes = node.xattrs ? std::make_shared<Xattrs>(*node.xattrs) : std::make_shared<Xattrs>();
  (*attributes)[content_attribute] = text_of(place);
  node.xattrs = std::move(attributes);
  node.size = 0;
  node.content = {};
  node.content.inline_bytes = std::make_shared<const ContentInline>();
  return node;
}

Node whole_node(Node node, const std::string& bytes) {
  node.size = bytes.size();
  node.content = {};
  node.content.inline_bytes = std::make_shared<const ContentInline>(ContentInline{bytes});
  return node;
}

// Reads the attribute, and takes it off.
class ContentFinder final : public LayerSink {
 public:
  explicit ContentFinder(const std::vector<std::shared_ptr<const ContentLayer>>& layers) : layers_(layers) {}

  void remove(const std::string& /*path*/) override {}
  void link(const std::string& /*path*/, const std::string& /*target*/, Node& /*node*/) override {}

  void put(const std::string& path, Node& node) override {
    const bool bare = node.type == FileType::regular && node.xattrs && node.xattrs->contains(content_attribute);
    if (!bare) return;
    const Place place = place_of(node.xattrs->at(content_attribute), path);
    if (place.layer >= layers_.size()) {
      throw io::Error(io::ErrorKind::integrity, fmt::format("'{}' is in layer {} of {}", path, place.layer + 1, layers_.size()));
    }
    auto attributes = std::make_shared<Xattrs>(*node.xattrs);
    attributes->erase(content_attribute);
    node.xattrs = attributes->empty() ? nullptr : std::move(attributes);
    node.size = place.size;
    node.content = {};
    node.content.layer = layers_[place.layer];
    node.content.path = place.path.empty() ? path : place.path;
  }

 private:
  const std::vector<std::shared_ptr<const ContentLayer>>& layers_;
};

}  // namespace

std::string read_whole(oci::TarReader& archive, const oci::TarEntry& entry) {
  if (entry.size > largest_whole) {
    throw io::Error(io::ErrorKind::integrity,
                    fmt::format("'{}' has {} bytes: it is read whole up to 16 MiB", entry.path, entry.size));
  }
  std::string bytes(entry.size, '\0');
  for (std::size_t done = 0; done < bytes.size();) {
    const std::size_t count = archive.read(std::as_writable_bytes(std::span(bytes)).subspan(done));
    if (count == 0) throw io::Error(io::ErrorKind::integrity, fmt::format("the archive ends within '{}'", entry.path));
    done += count;
  }
  return bytes;
}

std::string tree_index_key(std::span<const oci::Digest> layers) {
  std::vector<std::string> digests;
  for (const auto& layer : layers) digests.push_back(layer.text());
  return std::string(files_prefix) + KeyBuilder("tree index").list("layers", digests).finish();
}

std::string layer_index_key(const oci::Digest& layer) {
  return std::string(files_prefix) + KeyBuilder("layer index").field("layer", layer.text()).finish();
}

FileIndex index_of_tree(const Tree& tree, std::span<const oci::SpoolBlobPtr> layers, const WholeFiles& whole) {
  std::map<const oci::SpoolBlob*, std::size_t> numbers;
  for (std::size_t i = 0; i < layers.size(); ++i) numbers.emplace(layers[i].get(), i);
  FileIndex index;
  tree.walk("", [&](const std::string& path, const Node& node) {
    if (path.empty()) return true;
    index.changes.push_back({Change::Kind::put, path});
    const auto kept = whole.find(path);
    if (node.type != FileType::regular) {
      index.tree.put(path, node);
    } else if (kept != whole.end()) {
      index.tree.put(path, whole_node(node, kept->second));
    } else {
      const auto number = node.content.layer ? numbers.find(node.content.layer->blob.get()) : numbers.end();
      if (number == numbers.end()) throw io::Error(io::ErrorKind::internal, fmt::format("/{} is in none of the layers", path));
      const bool elsewhere = node.content.path != path;
      index.tree.put(path, bare_node(node, {node.size, number->second, elsewhere ? node.content.path : ""}));
    }
    return true;
  });
  return index;
}

FileIndex index_of_layer(const Tree& tree, const Changes& changes, const WholeFiles& whole) {
  FileIndex index{tree, changes};
  for (const auto& change : changes) {
    if (change.kind != Change::Kind::put) continue;
    const auto kept = whole.find(change.path);
    index.tree.update(change.path, [&](Node& node) {
      if (node.type != FileType::regular) return;
      node = kept != whole.end() ? whole_node(std::move(node), kept->second) : bare_node(node, {node.size, 0, ""});
    });
  }
  return index;
}

void apply_index(io::ByteSource& archive, Tree& tree, const std::vector<std::shared_ptr<const ContentLayer>>& layers) {
  ContentFinder finder(layers);
  LayerApplier applier(tree, nullptr, &finder);
  oci::TarReader reader(archive);
  while (const auto entry = reader.next()) {
    applier.apply(*entry);
    if (entry->type != FileType::regular || entry->xattrs.contains(content_attribute) || !tree.find(entry->path)) continue;
    const std::string bytes = read_whole(reader, *entry);
    tree.update(entry->path, [&](Node& node) { node = whole_node(std::move(node), bytes); });
  }
  std::vector<std::byte> rest(64U << 10U);
  while (archive.read(rest) > 0) {
  }
}

}  // namespace kiln::engine
