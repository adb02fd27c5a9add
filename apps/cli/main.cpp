// The `mainspring` command: the library's first host application. Public headers only; one file a family of verbs.
#include <cstdio>
#include <exception>

#include "common.h"
#include "graph.h"

int main(int argc, char** argv) {
  CLI::App app{"mainspring " MAINSPRING_VERSION ": runs model files (GGUF, ONNX)", "mainspring"};
  app.set_version_flag("--version", MAINSPRING_VERSION);
  app.require_subcommand(1);
  cli::add_generate(app);
  cli::add_chat(app);
  cli::add_text(app);
  cli::add_logits(app);
  cli::add_perplexity(app);
  cli::add_run(app);
  cli::add_bench(app);
  cli::add_info(app);
  try {
    app.parse(argc, argv);  // runs the verb
    if (std::fflush(stdout) != 0) throw cli::Stop{cli::kFailed, "standard output cannot be written"};
    return cli::kOk;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    std::fprintf(stderr, "mainspring: %s (see mainspring --help)\n", e.what());
    return cli::kUsage;
  } catch (const cli::Stop& stop) {
    std::fflush(stdout);
    std::fprintf(stderr, "mainspring: %s\n", stop.message.c_str());
    return stop.code;
  } catch (const std::exception& e) {  // the command's own containers: the library does not throw
    std::fprintf(stderr, "mainspring: %s\n", e.what());
    return cli::kFailed;
  }
}
