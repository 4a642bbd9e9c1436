#include "tools/command/kiln_flags.hpp"

#include <array>
#include <vector>

#include "tools/command/executor_flags.hpp"

namespace kiln::tools {

namespace {

using enum ValueKind;
using enum FlagState;

constexpr std::string_view no_attestations = "attestations are not made";

constexpr auto own_build_flags = std::to_array<Flag>({
    {"file", 'f', text, "", "Dockerfile; - reads standard input; unset: Dockerfile in the context"},
    {"tag", 't', list, "", "name of the image"},
    {"target", 0, text, "", "stage to build; unset: the last"},
    {"build-arg", 0, list, "", "NAME=value, or NAME to take the variable of that name"},
    {"label", 0, list, "", "key=value added to the config"},
    {"annotation", 0, list, "", "key=value added to the manifest"},
    {"platform", 0, text, "", "os/arch[/variant] of base images and result; unset: this machine's"},
    {"push", 0, boolean, "false", "push to the registry in the name; as --output type=registry"},
    {"output", 'o', list, "",
     "type=docker|oci|registry|image[,dest=FILE][,tar=false][,push=true][,compression=zstd][,rewrite-timestamp=true]..."},
    {"load", 0, boolean, "false", "there is no daemon to load it into: use --output type=docker,dest=FILE", refused},
    {"iidfile", 0, text, "", "write the image's id (the digest of its config)"},
    {"metadata-file", 0, text, "", "write digests and name as JSON"},
    {"quiet", 'q', boolean, "false", "print nothing but the image's id"},
    {"progress", 0, text, "auto", "auto, plain, tty, rawjson or quiet"},
    {"no-cache", 0, boolean, "false", "take nothing from --cache-from"},
    {"no-cache-filter", 0, slice, "", "the cache is used for all stages or, by --no-cache, for none", refused},
    {"pull", 0, boolean, "false", "base images are always asked for", needless},
    {"rm", 0, boolean, "true", "there are no intermediate containers", needless},
    {"force-rm", 0, boolean, "false", "there are no intermediate containers", needless},
    {"cache-from", 0, list, "", "take layers from REPOSITORY, type=registry,ref=REPOSITORY or type=local,src=DIRECTORY"},
    {"cache-to", 0, list, "", "leave layers in the same place (dest=DIRECTORY)"},
    {"provenance", 0, text, "false", no_attestations, refused},
    {"sbom", 0, text, "false", no_attestations, refused},
    {"attest", 0, list, "", no_attestations, refused},
    {"secret", 0, list, "", "for RUN --mount=type=secret, and logins of git and file sources: id=NAME[,src=FILE|,env=VARIABLE]"},
    {"ssh", 0, list, "", "for RUN --mount=type=ssh: default, NAME or NAME=SOCKET of an agent"},
    {"cache-dir", 0, text, "",
     "kiln's own: directory where base images and RUN --mount=type=cache are kept; unset: none, and beside the working files"},
    {"cache-limit", 0, text, "0", "kiln's own: size that caches in directories are kept below (k, m, g); 0: nothing is deleted"},
    {"cache-mounts", 0, text, "local",
     "kiln's own: where RUN --mount=type=cache survives: local (--cache-dir), or registry: in the repository of --cache-from and "
     "--cache-to, else <first name>/cache, too"},
    {"cache-mounts-limit", 0, text, "1g",
     "kiln's own: cache mounts with more bytes than this (k, m, g) are neither sent to the repository nor taken from it; 0: any"},
    {"build-context", 0, list, "",
     "NAME=directory, docker-image://REFERENCE, oci-layout://DIRECTORY[:NAME][@DIGEST], git repository or URL, for FROM and "
     "--from"},
    {"network", 0, text, "default", "RUN has the network of the process", refused},
    {"add-host", 0, list, "", "not supported yet", refused},
    {"builder", 0, text, "", "there is one", needless},
    {"compression", 0, text, "", "kiln's own: gzip or zstd; unset: gzip"},
    {"compression-level", 0, integer, "-1", "kiln's own: gzip 1 to 9, zstd 1 to 22; below 1: 1"},
    {"image-format", 0, text, "", "kiln's own: docker or oci; unset: as the base"},
    {"digest-file", 0, text, "", "kiln's own: write the manifest's digest"},
    {"reproducible", 0, boolean, "false", "kiln's own: all times fixed; layers of the base stay as they are"},
    {"snapshot-mode", 0, text, "", "kiln's own: full, redo, time or watch; unset: the fastest that misses nothing"},
    {"sandbox", 0, text, "", "kiln's own: how RUN is executed, userns or in-place; unset: probed"},
    {"memory-budget", 0, text, "96m", "kiln's own: bytes of buffers (k, m, g)"},
    {"work-dir", 0, text, "", "kiln's own: where spool and root file systems are kept while building"},
    {"verbosity", 'v', text, "info", "kiln's own: trace, debug, info, warn, error, fatal or panic", honoured},
    {"log-format", 0, text, "", "kiln's own: text, color or json; unset: color on a terminal"},
    {"trace-file", 0, text, "", "kiln's own: write where the time went, for ui.perfetto.dev"},
    {"log-timestamp", 0, boolean, "false", "kiln's own: times instead of seconds since the start"},
});

std::vector<Flag> make_build_flags() {
  std::vector<Flag> table(own_build_flags.begin(), own_build_flags.end());
  const auto more = registry_flags();
  table.insert(table.end(), more.begin(), more.end());
  return table;
}

}  // namespace

std::span<const Flag> build_flags() {
  static const std::vector<Flag> table = make_build_flags();
  return table;
}

}  // namespace kiln::tools
