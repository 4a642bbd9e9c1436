// The command line for people: kiln build, kiln version.
#pragma once

namespace kiln::tools {

int kiln_main(int argc, char** argv);

}  // namespace kiln::tools
