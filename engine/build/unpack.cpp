// What a stage with a RUN begins with, on disk.
#include <algorithm>

#include <fmt/format.h>

#include "engine/build/stage.hpp"

namespace kiln::engine {

using io::Task;

namespace {

// What a stage starts from that is no other stage.
const Source& outermost_base(const Plan& plan, int stage) {
  const Source* base = &plan.stages[static_cast<std::size_t>(stage)].base;
  while (base->kind == Source::Kind::stage) base = &plan.stages[static_cast<std::size_t>(base->stage)].base;
  return *base;
}

bool has_run(const PlannedStage& stage) {
  const auto is_run = [](const auto& instruction) { return std::holds_alternative<dockerfile::Run>(instruction.body); };
  return !stage.replaced && std::ranges::any_of(stage.text->instructions, is_run);
}

// A mount option has room for a page of names, and each directory costs a look-up.
constexpr std::size_t highest_stack = 64;

}  // namespace

// Overlay: whether the stage has no need of its base's layers, because another one has unpacked them or is what it stands on.
bool StageRunner::stands_on_others(int index) const {
  const PlannedStage& stage = session_.plan.stages[static_cast<std::size_t>(index)];
  if (!session_.sandbox->overlay || demand_.at(index) > 0 || !has_run(stage)) return false;
  return stage.base.is_outside() || (stage.base.kind == Source::Kind::stage && stands_on_others(stage.base.stage));
}

// Whether anybody wants the layers that the stage makes: the image, the cache, or a stage that is built on it, of which a trigger
// of a base may know alone. Without overlay, later snapshots compare with them. What only copies takes the files from where they
// are.
bool StageRunner::layers_are_read(int index, const StageResult& stage) const {
  if (session_.cache || published_.contains(index)) return true;
  if (!stage.rootfs || stage.rootfs->shape() != RootfsShape::overlay) return true;
  const auto is_on_top = [index](const PlannedStage& other) {
    return other.base.kind == Source::Kind::stage && other.base.stage == index;
  };
  return std::ranges::any_of(session_.plan.stages, is_on_top);
}

// A layer that another stage reads, too, cannot pass by.
std::vector<LayerInput> StageRunner::layers_to_unpack(int index, const StageResult& stage) {
  const Source& base = outermost_base(session_.plan, index);
  const bool for_all = demand_[index] == 0 && session_.plan.stages[static_cast<std::size_t>(index)].base.is_outside();
  const bool alone = std::ranges::none_of(demand_, [&](const auto& demanded) {
    const Source& other = outermost_base(session_.plan, demanded.first);
    const bool same = demanded.first != index && other.image.text() == base.image.text() && other.context == base.context;
    return same && !(for_all && stands_on_others(demanded.first));
  });
  const bool published = published_.contains(index);
  const auto passing = [&](const ImageLayer& layer) { return alone && !(published && publisher_.may_send(layer)); };
  return want_layers(session_, stage.layers, passing);
}

std::string rootfs_directory(const Session& session, const std::string& directory, std::string_view name) {
  // The work directory's own name is random, which spreads builds over the disk.
  const std::string& work = session.request.work_directory;
  return fmt::format("{}/{}{}", directory, name, work.substr(work.find_last_of("/-") + 1));
}

Task<std::shared_ptr<StageRunner::UnpackedBase>> StageRunner::unpack_layers(int index, const StageResult& stage, std::string name,
                                                                            RootfsShape shape, std::set<std::string> paths) {
  const PhaseClock::Activity unpacking(session_.clock, "unpack");
  auto base = std::make_shared<UnpackedBase>();
  const std::string directory = rootfs_directory(session_, session_.request.work_directory, name);
  base->rootfs = std::make_shared<Rootfs>(session_.runtime, shape, directory, std::move(paths));
  base->tree = co_await base->rootfs->unpack(layers_to_unpack(index, stage));
  co_return base;
}

// Overlay: on top of what the stage that this one is built on has left, or of its layers, which are unpacked once for all stages.
Task<void> StageRunner::stack_up(int index, StageResultPtr stage, std::set<std::string> paths) {
  std::shared_ptr<Rootfs> below = stage->rootfs;
  if (!below || below->directories().size() > highest_stack) {
    std::string name = fmt::format("base{}", index);
    const std::shared_ptr<UnpackedBase> unpacked =
        co_await once(unpacked_[stage->layers], unpack_layers(index, *stage, std::move(name), RootfsShape::overlay, paths));
    below = unpacked->rootfs;
    stage->tree = unpacked->tree;
    stage->off_disk.clear();
  }
  const std::string directory = rootfs_directory(session_, session_.request.work_directory, fmt::format("rootfs{}", index));
  stage->rootfs = std::make_shared<Rootfs>(session_.runtime, *below, directory, std::move(paths));
  Changes changes;
  for (const auto& path : stage->off_disk) {
    if (stage->tree->find(path)) changes.push_back({Change::Kind::put, path});
  }
  stage->off_disk.clear();
  std::ranges::sort(changes, path_less, &Change::path);
  if (!changes.empty()) co_await stage->rootfs->apply(*stage->tree, changes);
}

// The base is unpacked while the sources run. "/" is taken only when they have.
Task<void> StageRunner::unpack_base(int index, StageResultPtr stage, const ResolvedStage& resolved, const Sandbox& sandbox) {
  if (sandbox.shape() == RootfsShape::in_place) {
    co_await root_.prepare(index, stage);
    co_await wait_for_sources(resolved, demand_[index]);
    co_await root_.take(index, stage);
    co_return;
  }
  const BuildRequest& request = session_.request;
  std::set<std::string> paths =
      protected_paths(sandbox.kind(), request.kiln_directory, request.ignore_var_run, request.ignore_paths);
  if (sandbox.shape() == RootfsShape::overlay) {
    co_await stack_up(index, stage, std::move(paths));
    co_return;
  }
  std::string name = fmt::format("rootfs{}", index);
  const std::shared_ptr<UnpackedBase> unpacked =
      co_await unpack_layers(index, *stage, std::move(name), sandbox.shape(), std::move(paths));
  stage->rootfs = unpacked->rootfs;
  stage->tree = unpacked->tree;
}

Task<void> StageRunner::wait_for_sources(const ResolvedStage& resolved, std::size_t first) {
  for (std::size_t i = first; i < resolved.steps.size(); ++i) {
    const std::vector<StageResultPtr> sources = co_await load_sources(resolved.steps[i]);
    for (const auto& source : sources) co_await ensure_tree(source);
  }
}

}  // namespace kiln::engine
