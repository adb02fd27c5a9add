#include "sampling.h"

#include <charconv>

namespace cli {

void Sampling::add(CLI::App& verb) {
  const auto option = [&](const char* name, auto& field, const char* text) { verb.add_option(name, field, text)->capture_default_str()->group("Sampling"); };
  verb.add_flag("--greedy", params.greedy, "always the most likely token")->group("Sampling");
  option("--seed", params.seed, "the random number at position p comes from (seed, p)");
  option("--temperature", params.temperature, "0: greedy");
  option("--top-k", params.top_k, "0: off");
  option("--top-p", params.top_p, "1: off");
  option("--min-p", params.min_p, "0: off");
  option("--typical-p", params.typical_p, "1: off");
  option("--top-n-sigma", params.top_n_sigma, "0: off");
  option("--xtc-probability", params.xtc_probability, "0: off");
  option("--xtc-threshold", params.xtc_threshold, "");
  option("--repetition-penalty", params.repetition_penalty, "1: off");
  option("--presence-penalty", params.presence_penalty, "0: off");
  option("--frequency-penalty", params.frequency_penalty, "0: off");
  option("--penalty-last", params.penalty_last, "tokens looked back on, -1: all");
  option("--dry-multiplier", params.dry_multiplier, "0: off");
  option("--dry-base", params.dry_base, "");
  option("--dry-allowed-length", params.dry_allowed_length, "");
  option("--dry-last", params.dry_last, "tokens looked back on, -1: all");
  verb.add_option("--dry-breaker", breakers, "texts that end a repetition's reach")->group("Sampling");
  option("--mirostat", params.mirostat, "0: off, 2: Mirostat 2.0");
  option("--mirostat-tau", params.mirostat_tau, "");
  option("--mirostat-eta", params.mirostat_eta, "");
  verb.add_option("--logit-bias", bias, "ID=VALUE, may be repeated; -inf forbids a token")->group("Sampling");
}

ms::SamplingParams Sampling::complete(const ms::Model& model) const {
  ms::SamplingParams p = params;
  for (const std::string& b : bias) {
    const size_t at = b.find('=');
    int32_t id = 0;
    const auto parsed = std::from_chars(b.data(), b.data() + std::min(at, b.size()), id);
    char* end = nullptr;
    const float value = at == std::string::npos ? 0 : std::strtof(b.c_str() + at + 1, &end);
    if (at == std::string::npos || parsed.ec != std::errc{} || parsed.ptr != b.data() + at || end == b.c_str() + at + 1 || *end != 0)
      throw Stop{kUsage, "--logit-bias '" + b + "', expected ID=VALUE such as 42=-1.5"};
    p.logit_bias.emplace_back(id, value);
  }
  if (p.dry_multiplier != 0)
    for (const std::string& text : breakers) {
      const auto ids = must(ms::tokenize(model, text, {.add_special = false, .parse_special = false}));
      if (!ids.empty()) p.dry_breakers.push_back(ids.back());
    }
  return p;
}

const char* name_of(ms::Finish finish) {
  switch (finish) {
    case ms::Finish::end_token: return "end_token";
    case ms::Finish::max_tokens: return "max_tokens";
    case ms::Finish::context_full: return "context_full";
    case ms::Finish::stopped: return "stopped";
    case ms::Finish::cancelled: return "cancelled";
  }
  return "";
}

}  // namespace cli
