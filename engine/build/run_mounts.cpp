#include "engine/build/run_mounts.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/build/mount_exchange.hpp"
#include "engine/cache/fingerprint.hpp"
#include "engine/plan/path.hpp"
#include "engine/rootfs/move_entry.hpp"
#include "io/base/error.hpp"
#include "io/file/directory_names.hpp"
#include "io/file/open_beneath.hpp"

namespace kiln::engine {

using io::Task;

namespace {

namespace fs = std::filesystem;

// Does `directory` show exactly what is at `path` of the tree: no name more (ignored files), and all of it `owner`'s, who is root
// inside?
bool shows_the_same(const Tree& tree, int directory, const std::string& path, uid_t owner) {
  struct stat status{};
  const io::UniqueFd fd = io::open_beneath(directory, path, O_PATH | O_NOFOLLOW);
  if (!fd || fstat(fd.get(), &status) != 0) return false;
  if (status.st_uid != owner || (owner == 0 && status.st_gid != 0)) return false;
  if (!S_ISDIR(status.st_mode)) return true;
  std::vector<std::string> names;
  if (io::list_names(fd.get(), names) != 0) return false;
  std::sort(names.begin(), names.end());
  if (names != tree.children(path)) return false;
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return shows_the_same(tree, directory, path.empty() ? name : path + "/" + name, owner);
  });
}

std::string build_arg(const BuildRequest& request, const char* name) {
  const auto found = request.build_args.find(name);
  return found == request.build_args.end() ? std::string() : found->second.value_or("");
}

// Text of a source: two mounts with the same text have the same content within a build.
std::string identity_of(const RunMount& mount) {
  if (!mount.from) return mount.mount.type == Mount::Type::cache ? "" : "context";
  switch (mount.from->kind) {
    case Source::Kind::stage: return fmt::format("stage {}", mount.from->stage);
    case Source::Kind::image: return fmt::format("image {} {}", mount.from->image.text(), mount.from->platform.text());
    case Source::Kind::context: return "context " + mount.from->context;
    default: return "scratch " + mount.mount.from;
  }
}

bool fits_into_mount_option(const std::string& path) { return path.find_first_of(",:\\") == std::string::npos; }

void set_variable(std::vector<std::string>& environment, const std::string& name, const std::string& value) {
  std::erase_if(environment, [&](const std::string& entry) { return entry.starts_with(name + "="); });
  environment.push_back(name + "=" + value);
}

}  // namespace

Task<void> StageRunner::Steps::Mounts::prepare(RunRequest& request) {
  co_await open_caches();
  for (const auto& mount : step_.mounts) {
    std::exception_ptr failure;
    try {
      co_await add(mount, request);
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) io::rethrow_with_context(failure, fmt::format("--mount={}", mount.mount.text));
  }
  if (!step_.script.empty()) add_script(request);
}

Task<void> StageRunner::Steps::Mounts::finish() {
  for (auto& agent : agents_) co_await agent->stop();
  agents_.clear();
  caches_.clear();
  auto work = [this] {
    std::error_code ignored;
    for (const auto& directory : private_) fs::remove_all(directory, ignored);
  };
  if (!private_.empty()) co_await io::offload(session_.runtime.waiting(), work);
  private_.clear();
}

Task<void> StageRunner::Steps::Mounts::add(const RunMount& mount, RunRequest& request) {
  SandboxMount placed;
  placed.name = mount.mount.text;
  placed.read_only = mount.mount.read_only;
  if (!mount.mount.target.empty()) placed.target = resolve_in_tree(*steps_.stage_->tree, clean_path(mount.mount.target));
  switch (mount.mount.type) {
    case Mount::Type::bind: co_await add_bind(mount, std::move(placed), request); break;
    case Mount::Type::cache: co_await add_cache(mount, std::move(placed), request); break;
    case Mount::Type::secret: add_secret(mount.mount, std::move(placed), request); break;
    case Mount::Type::ssh: add_agent(mount.mount, std::move(placed), request); break;
    case Mount::Type::tmpfs:
      placed.kind = SandboxMount::Kind::tmpfs;
      placed.size = mount.mount.size;
      request.mounts.push_back(std::move(placed));
      break;
  }
}

// -- bind ------------------------------------------------------------------------------------------------------------

// The context as it lies on this machine where that is the same; else files of their own. What a RUN may write to is a copy
// for this RUN alone, or an overlay.
Task<void> StageRunner::Steps::Mounts::add_bind(const RunMount& mount, SandboxMount placed, RunRequest& request) {
  placed.kind = SandboxMount::Kind::bind;
  const std::string key = identity_of(mount) + "\n" + mount.mount.source;
  const auto known = steps_.mount_copies_.find(key);
  if (known != steps_.mount_copies_.end()) {
    placed.source = known->second;
  } else {
    From from = co_await find_source(mount);
    if (!from.directory.empty()) {
      placed.source = from.path.empty() ? from.directory : from.directory + "/" + from.path;
    } else {
      placed.source = co_await copy_out(std::move(from));
    }
    if (!in_place()) {
      steps_.mount_copies_[key] = placed.source;
      std::erase_if(private_, [&](const std::string& directory) { return placed.source.starts_with(directory + "/"); });
    }
  }
  placed.directory = fs::is_directory(placed.source);
  const bool overlay = steps_.sandbox_->shape() == RootfsShape::overlay;
  if (!mount.mount.read_only && !in_place()) {
    if (overlay && placed.directory && fits_into_mount_option(placed.source)) {
      placed.upper = private_directory();
      fs::create_directory(placed.upper + "/u");
      fs::create_directory(placed.upper + "/w");
      fs::permissions(placed.upper + "/u", fs::status(placed.source).permissions());
    } else {
      From from = co_await find_source(mount);
      placed.source = co_await copy_out(std::move(from));
    }
  }
  request.mounts.push_back(std::move(placed));
}

Task<StageRunner::Steps::Mounts::From> StageRunner::Steps::Mounts::find_source(const RunMount& mount) {
  From from;
  const std::string wanted = clean_path(mount.mount.source);
  if (mount.from) {
    const StageResultPtr source = co_await steps_.runner_.start_from(*mount.from);
    co_await steps_.runner_.ensure_tree(source);
    from.tree = *source->tree;
    from.take = [source](const std::string& path, Node& node) {
      if (node.content.layer && node.stamp.on_disk() && source->rootfs) node.content = source->rootfs->locate(path);
    };
  } else {
    if (!session_.context) throw io::Error(io::ErrorKind::context, "it needs a build context, and there is none");
    from.tree = co_await session_.context->scan(session_.runtime, wanted);
    const auto node = from.tree.find(wanted);
    if (!node || node->type == FileType::symlink) from.tree = co_await session_.context->scan(session_.runtime, "");
  }
  from.path = resolve_in_tree(from.tree, wanted);
  if (!from.tree.find(from.path)) {
    const std::string reason = mount.from ? "" : session_.context->why_missing(wanted);
    throw io::Error(io::ErrorKind::context, fmt::format("\"/{}\": not found{}", wanted, reason));
  }
  if (!mount.from && !in_place()) {
    const io::UniqueFd directory(open(session_.context->directory().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const uid_t owner = session_.sandbox->all_ids ? 0 : geteuid();
    if (directory && shows_the_same(from.tree, directory.get(), from.path, owner)) from.directory = session_.context->directory();
  }
  co_return from;
}

std::string StageRunner::Steps::Mounts::private_directory() {
  static std::atomic<unsigned> last_number = 0;
  std::string path = fmt::format("{}/mounts/{}", session_.request.work_directory, ++last_number);
  fs::create_directories(path);
  private_.push_back(path);
  return path;
}

Task<StageRunner::Steps::Mounts::Files> StageRunner::Steps::Mounts::gather(From from) {
  Files files;
  auto& [tree, changes] = files;
  const std::size_t skipped = from.path.empty() ? 0 : from.path.size() + 1;
  from.tree.walk(from.path, [&](const std::string& path, const Node& node) {
    Node copy = node;
    if (from.take && copy.type == FileType::regular) from.take(path, copy);
    const std::string name = path.size() <= skipped ? "m" : "m/" + path.substr(skipped);
    tree.put(name, std::move(copy));
    changes.push_back({Change::Kind::put, name});
    return true;
  });
  std::vector<std::pair<std::string, Content>> wanted;
  for (const auto& change : changes) {
    const auto node = tree.find(change.path);
    if (node->content.layer) wanted.emplace_back(change.path, node->content);
  }
  std::vector<Content*> contents;
  for (auto& entry : wanted) contents.push_back(&entry.second);
  if (!contents.empty()) co_await materialize_layer_contents(session_.runtime, std::move(contents), session_.scratch);
  for (const auto& [path, content] : wanted) {
    tree.update(path, [&](Node& node) { node.content = content; });
  }
  co_return files;
}

// Gives the path of the files on this machine.
Task<std::string> StageRunner::Steps::Mounts::copy_out(From from) {
  Files files = co_await gather(std::move(from));
  Rootfs copy(session_.runtime, RootfsShape::plain, private_directory() + "/files", {});
  co_await copy.apply(files.tree, files.changes);
  co_return copy.directory_paths().front() + "/m";
}

// -- cache -----------------------------------------------------------------------------------------------------------

CacheKey StageRunner::Steps::Mounts::key_of(const RunMount& mount) const {
  CacheKey key;
  key.id = build_arg(session_.request, "BUILDKIT_CACHE_MOUNT_NS") + "/" + mount.mount.id;
  if (const auto seed = seeds_.find(mount.mount.text); seed != seeds_.end()) key.seed = seed->second;
  key.mode = mount.mount.mode.value_or(0755) & 07777;
  key.uid = mount.mount.uid.value_or(0);
  key.gid = mount.mount.gid.value_or(0);
  return key;
}

// What a cache begins with: another content is another cache, as with BuildKit, whose key has the source's snapshot. Files that a
// later build makes again are the same content: times do not count.
Task<std::string> StageRunner::Steps::Mounts::seed_of(const RunMount& mount) {
  const std::string place = identity_of(mount) + " /" + clean_path(mount.mount.source);
  if (mount.from->kind == Source::Kind::image) {
    const StageResultPtr image = co_await steps_.runner_.start_from(*mount.from);
    co_return place + " " + image->key;
  }
  From from = co_await find_source(mount);
  Files files = co_await gather(std::move(from));
  Listing listing(nullptr);
  listing.add(files.tree, files.changes);
  const std::string digest = co_await fingerprint(session_.runtime, listing);
  co_return place + " " + digest;
}

// In one order for all RUNs, so that two of them never wait for each other. In place a cache is moved, which nobody else may
// see: there every cache is locked.
Task<void> StageRunner::Steps::Mounts::open_caches() {
  std::map<std::string, const RunMount*> wanted;
  for (const auto& mount : step_.mounts) {
    if (mount.mount.type != Mount::Type::cache) continue;
    if (mount.from && mount.from->kind != Source::Kind::scratch) {
      std::string seed = co_await seed_of(mount);
      seeds_.insert_or_assign(mount.mount.text, std::move(seed));
    }
    wanted.emplace(key_of(mount).hash(), &mount);
  }
  for (const auto& [hash, mount] : wanted) {
    Mount::Sharing sharing = mount->mount.sharing.value_or(Mount::Sharing::shared);
    if (in_place() && sharing == Mount::Sharing::shared) sharing = Mount::Sharing::locked;
    const std::string id = mount->mount.id;
    auto on_wait = [this, id] { session_.progress.message(fmt::format("waiting for the cache mount '{}', which is in use", id)); };
    auto cache = co_await open_cache(session_.request.cache_mounts_directory, key_of(*mount), sharing, on_wait);
    if (!cache->filled() && session_.mounts) co_await session_.mounts->fetch(key_of(*mount), *cache);
    if (!cache->filled()) co_await fill_cache(*mount, *cache);
    if (session_.mounts) session_.mounts->note_use(key_of(*mount), *cache);
    caches_[hash] = std::move(cache);
  }
}

Task<void> StageRunner::Steps::Mounts::fill_cache(const RunMount& mount, const CacheDirectory& cache) {
  const CacheKey key = key_of(mount);
  const std::string fresh = cache.fresh();
  std::string directory = fresh + "/data";
  if (key.seed.empty()) {
    fs::create_directory(directory);
  } else {
    From from = co_await find_source(mount);
    const std::string copy = co_await copy_out(std::move(from));
    if (!fs::is_directory(copy)) throw io::Error(io::ErrorKind::context, "the seed of a cache has to be a directory");
    const io::UniqueFd source(open(fs::path(copy).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const io::UniqueFd target(open(fresh.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    auto work = [&source, &target] { move_entry(source.get(), "m", target.get(), "data"); };
    co_await io::offload(session_.runtime.waiting(), work);
  }
  const bool described = mount.mount.mode || mount.mount.uid || mount.mount.gid;
  if (key.seed.empty() || described) {
    if ((key.uid != 0 || key.gid != 0) && chown(directory.c_str(), key.uid, key.gid) != 0) {
      spdlog::warn("the cache mount '{}' cannot be given to {}:{} here", mount.mount.id, key.uid, key.gid);
    }
    chmod(directory.c_str(), key.mode);
  }
  cache.adopt(directory);
  fs::remove(fresh);
}

Task<void> StageRunner::Steps::Mounts::add_cache(const RunMount& mount, SandboxMount placed, RunRequest& request) {
  const std::string hash = key_of(mount).hash();
  if (in_place() && !placed_caches_.insert(hash).second) {
    throw io::Error(io::ErrorKind::unsupported, "the same cache at two targets cannot be honoured in place");
  }
  placed.kind = SandboxMount::Kind::cache;
  placed.source = caches_.at(hash)->data();
  request.mounts.push_back(std::move(placed));
  co_return;
}

// -- secret, ssh, script ---------------------------------------------------------------------------------------------

void StageRunner::Steps::Mounts::add_secret(const Mount& mount, SandboxMount placed, RunRequest& request) {
  const auto secret = session_.request.secrets.find(mount.id);
  if (secret == session_.request.secrets.end()) {
    if (!mount.required) return;
    throw io::Error(io::ErrorKind::usage, fmt::format("secret {0}: not found; give it with --secret id={0},src=FILE or "
                                                      "--secret id={0},env=NAME",
                                                      mount.id));
  }
  if (mount.env) set_variable(request.environment, *mount.env, secret->second);
  if (mount.target.empty()) return;
  placed.kind = SandboxMount::Kind::file;
  placed.bytes = secret->second;
  placed.mode = mount.mode.value_or(0400);
  placed.uid = mount.uid.value_or(0);
  placed.gid = mount.gid.value_or(0);
  request.mounts.push_back(std::move(placed));
}

void StageRunner::Steps::Mounts::add_agent(const Mount& mount, SandboxMount placed, RunRequest& request) {
  const auto agent = session_.request.ssh_agents.find(mount.id);
  if (agent == session_.request.ssh_agents.end()) {
    if (!mount.required) return;
    throw io::Error(io::ErrorKind::usage,
                    fmt::format("no SSH key \"{0}\" forwarded from the client; give an agent with --ssh {0}=SOCKET", mount.id));
  }
  const std::string path = private_directory() + "/agent";
  const AgentProxy::Owner owner{mount.mode.value_or(0600), mount.uid.value_or(0), mount.gid.value_or(0)};
  agents_.push_back(std::make_unique<AgentProxy>(session_.runtime, steps_.runner_.root_.where(agent->second), path, owner));
  const bool named = std::any_of(request.environment.begin(), request.environment.end(),
                                 [](const std::string& entry) { return entry.starts_with("SSH_AUTH_SOCK="); });
  if (!named) request.environment.push_back("SSH_AUTH_SOCK=" + mount.target);
  placed.kind = SandboxMount::Kind::bind;
  placed.source = path;
  placed.directory = false;
  placed.read_only = false;
  request.mounts.push_back(std::move(placed));
}

void StageRunner::Steps::Mounts::add_script(RunRequest& request) {
  SandboxMount script;
  script.name = "the script of a heredoc";
  script.kind = SandboxMount::Kind::file;
  script.target = clean_path(step_.script_path);
  script.bytes = step_.script;
  script.mode = 0755;
  request.mounts.push_back(std::move(script));
}

}  // namespace kiln::engine
