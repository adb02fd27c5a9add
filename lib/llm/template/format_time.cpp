// datetime.strftime in the C locale. Written out, because the C library's follows the host's locale and time zone.
#include <algorithm>
#include <charconv>
#include <ctime>

#include "llm/template/formatting.h"

namespace mainspring::inline v0 {
namespace {

// Days since 1970-01-01 of a date in the proleptic Gregorian calendar, and back (Howard Hinnant's algorithms).
int64_t days_from_civil(int64_t y, int m, int d) {
  y -= m <= 2;
  int64_t era = (y >= 0 ? y : y - 399) / 400;
  int64_t yoe = y - era * 400;
  int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + doe - 719468;
}

bool read_number(std::string_view text, size_t& i, size_t digits, int& out) {
  if (i + digits > text.size()) return false;
  auto [end, ec] = std::from_chars(text.data() + i, text.data() + i + digits, out);
  if (ec != std::errc() || end != text.data() + i + digits || text[i] == '-') return false;
  i += digits;
  return true;
}

int days_in_month(int year, int month) {
  constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : days[month - 1];
}

}  // namespace

DateTime DateTime::from_unix(int64_t seconds, int offset_seconds) {
  // Far dates are clamped to the years 1–9999, the range of Python's datetime.
  seconds = std::clamp<int64_t>(seconds, -62135596800 + 86400, 253402300799 - 86400) + std::clamp(offset_seconds, -86400, 86400);
  int64_t days = seconds / 86400, rest = seconds % 86400;
  if (rest < 0) {
    rest += 86400;
    --days;
  }
  int64_t z = days + 719468;
  int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  int64_t doe = z - era * 146097;
  int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  int64_t mp = (5 * doy + 2) / 153;
  DateTime t;
  t.day = static_cast<int>(doy - (153 * mp + 2) / 5 + 1);
  t.month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  t.year = static_cast<int>(yoe + era * 400 + (t.month <= 2 ? 1 : 0));
  t.hour = static_cast<int>(rest / 3600);
  t.minute = static_cast<int>(rest / 60 % 60);
  t.second = static_cast<int>(rest % 60);
  return t;
}

DateTime DateTime::local_now() {
  std::time_t now = std::time(nullptr);
  std::tm local{};
#if defined(_WIN32)
  bool ok = localtime_s(&local, &now) == 0;
#else
  bool ok = localtime_r(&now, &local) != nullptr;
#endif
  if (!ok) return from_unix(static_cast<int64_t>(now));
  return {local.tm_year + 1900, local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, 0};
}

Result<DateTime> DateTime::from_iso(std::string_view text) {
  Error bad = invalid("'{}' is no time, expected YYYY-MM-DD[THH:MM[:SS[.ffffff]]]", text.substr(0, 40));
  DateTime t;
  size_t i = 0;
  auto skip = [&](char c) { return i < text.size() && text[i] == c && ++i > 0; };
  if (!read_number(text, i, 4, t.year) || !skip('-') || !read_number(text, i, 2, t.month) || !skip('-') || !read_number(text, i, 2, t.day)) return bad;
  if (i < text.size()) {
    if (!(skip('T') || skip(' ')) || !read_number(text, i, 2, t.hour) || !skip(':') || !read_number(text, i, 2, t.minute)) return bad;
    if (skip(':') && !read_number(text, i, 2, t.second)) return bad;
    if (skip('.')) {
      size_t digits = std::min<size_t>(text.size() - i, 6);
      if (digits == 0 || !read_number(text, i, digits, t.microsecond)) return bad;
      for (; digits < 6; ++digits) t.microsecond *= 10;
    }
  }
  bool in_range = t.year >= 1 && t.month >= 1 && t.month <= 12 && t.day >= 1 && t.hour < 24 && t.minute < 60 && t.second < 60;
  if (i != text.size() || !in_range || t.day > days_in_month(t.year, t.month)) return bad;
  return t;
}

namespace jinja {
namespace {

constexpr std::string_view kDays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::string_view kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                        "July",    "August",   "September", "October", "November", "December"};

struct Calendar {
  int week_day;   // 0 is Sunday
  int year_day;   // 0–365
  int iso_year;
  int iso_week;
};

Calendar calendar_of(const DateTime& t) {
  int64_t days = days_from_civil(t.year, t.month, t.day);
  Calendar c{};
  c.week_day = static_cast<int>(((days + 4) % 7 + 7) % 7);
  c.year_day = static_cast<int>(days - days_from_civil(t.year, 1, 1));
  int monday_based = (c.week_day + 6) % 7;
  int64_t thursday = days - monday_based + 3;
  c.iso_year = t.year;
  if (thursday < days_from_civil(t.year, 1, 1)) --c.iso_year;
  else if (thursday >= days_from_civil(t.year + 1, 1, 1)) ++c.iso_year;
  c.iso_week = static_cast<int>((thursday - days_from_civil(c.iso_year, 1, 1)) / 7) + 1;
  return c;
}

// A number with glibc's padding flags: '-' none, '_' spaces, '0' zeros.
std::string padded(int64_t v, int width, char flag, char fill = '0') {
  if (flag == '-') return fmt::format("{}", v);
  if (flag == '_') fill = ' ';
  if (flag == '0') fill = '0';
  std::string digits = fmt::format("{}", v);
  return std::string(static_cast<size_t>(std::max(0, width - static_cast<int>(digits.size()))), fill) + digits;
}

// The directives that stand for others.
std::string_view composite(char directive) {
  switch (directive) {
    case 'D':
    case 'x': return "%m/%d/%y";
    case 'F': return "%Y-%m-%d";
    case 'T':
    case 'X': return "%H:%M:%S";
    case 'R': return "%H:%M";
    case 'r': return "%I:%M:%S %p";
    case 'c': return "%a %b %e %H:%M:%S %Y";
    default: return {};
  }
}

std::string directive_text(const DateTime& t, const Calendar& c, char directive, char flag, bool& known) {
  int hour12 = t.hour % 12 == 0 ? 12 : t.hour % 12;
  switch (directive) {
    case 'a': return std::string(kDays[c.week_day].substr(0, 3));
    case 'A': return std::string(kDays[c.week_day]);
    case 'b':
    case 'h': return std::string(kMonths[t.month - 1].substr(0, 3));
    case 'B': return std::string(kMonths[t.month - 1]);
    case 'C': return padded(t.year / 100, 2, flag);
    case 'd': return padded(t.day, 2, flag);
    case 'e': return padded(t.day, 2, flag, ' ');
    case 'f': return padded(t.microsecond, 6, '0');
    case 'g': return padded(c.iso_year % 100, 2, flag);
    case 'G': return padded(c.iso_year, 4, flag);
    case 'H': return padded(t.hour, 2, flag);
    case 'I': return padded(hour12, 2, flag);
    case 'j': return padded(c.year_day + 1, 3, flag);
    case 'k': return padded(t.hour, 2, flag, ' ');
    case 'l': return padded(hour12, 2, flag, ' ');
    case 'm': return padded(t.month, 2, flag);
    case 'M': return padded(t.minute, 2, flag);
    case 'n': return "\n";
    case 'p': return t.hour < 12 ? "AM" : "PM";
    case 'P': return t.hour < 12 ? "am" : "pm";
    case 'S': return padded(t.second, 2, flag);
    case 't': return "\t";
    case 'u': return padded(c.week_day == 0 ? 7 : c.week_day, 1, flag);
    case 'U': return padded((c.year_day + 7 - c.week_day) / 7, 2, flag);
    case 'V': return padded(c.iso_week, 2, flag);
    case 'w': return padded(c.week_day, 1, flag);
    case 'W': return padded((c.year_day + 7 - (c.week_day + 6) % 7) / 7, 2, flag);
    case 'y': return padded(t.year % 100, 2, flag);
    case 'Y': return padded(t.year, 4, flag == 0 ? '-' : flag);
    case 'z':
    case 'Z': return {};  // a time without a zone
    case '%': return "%";
    default: known = false; return {};
  }
}

}  // namespace

Result<void> append_time(TextBuilder& out, const DateTime& time, std::string_view format) {
  Calendar calendar = calendar_of(time);
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 >= format.size()) {
      out.append(format[i]);
      continue;
    }
    char flag = 0;
    bool upper = false;
    while (i + 2 < format.size() && std::string_view("-_0^#").find(format[i + 1]) != std::string_view::npos) {
      ++i;
      if (format[i] == '^' || format[i] == '#') upper = true;
      else flag = format[i];
    }
    char directive = format[++i];
    bool known = true;
    std::string text;
    if (std::string_view parts = composite(directive); !parts.empty()) {
      TextBuilder inner(out.heap());
      MAINSPRING_TRY_VOID(append_time(inner, time, parts));
      text = inner.view();
    } else {
      text = directive_text(time, calendar, directive, flag, known);
    }
    if (!known) return unsupported("strftime: the directive '%{}'", directive);
    if (upper)
      for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    out.append(text);
    if (out.over()) return out.over_error();
  }
  return {};
}

}  // namespace jinja
}  // namespace mainspring::inline v0
