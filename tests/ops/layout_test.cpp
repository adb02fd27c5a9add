#include "support/op_test.h"

namespace mainspring::inline v0 {
namespace {

using namespace optest;

In ints(Dims dims) { return {.dims = std::move(dims), .dtype = DType::i32}; }
In halves(Dims dims) { return {.dims = std::move(dims), .dtype = DType::f16}; }

const OpCase kCases[] = {
    {.name = "middle", .op = "slice", .in = {rows({kN, 67}, Fill::special)}, .attrs = {{"start", 13}, {"length", 31}}},
    {.name = "one", .op = "slice", .in = {rows({kN, 5})}, .attrs = {{"start", 4}, {"length", 1}}},
    {.name = "heads", .op = "slice", .in = {rows({kN, 3, 17})}, .attrs = {{"start", 2}, {"length", 15}}},
    {.name = "ints", .op = "slice", .in = {ints({kN, 8})}, .attrs = {{"start", 3}, {"length", 2}}, .may_refuse = true},
    {.name = "split", .op = "reshape", .in = {rows({kN, 96})}, .attrs = {{"dims", std::vector<int64_t>{-1, 3, 32}}}},
    {.name = "join", .op = "reshape", .in = {rows({kN, 5, 13})}, .attrs = {{"dims", std::vector<int64_t>{-1, 65}}}},
    {.name = "regroup", .op = "reshape", .in = {rows({kN, 4, 6})}, .attrs = {{"dims", std::vector<int64_t>{-1, 3, 8}}}},
    {.name = "constant", .op = "reshape", .in = {rows({6, 4})}, .attrs = {{"dims", std::vector<int64_t>{3, 8}}}, .may_refuse = true},
    {.name = "halves", .op = "reshape", .in = {halves({kN, 12})}, .attrs = {{"dims", std::vector<int64_t>{-1, 3, 4}}}, .may_refuse = true},
    {.name = "matrix", .op = "concat", .in = {rows({kN, 13}), rows({kN, 20})}},
    {.name = "heads", .op = "concat", .in = {rows({kN, 3, 16}), rows({kN, 3, 1})}},
    {.name = "ints", .op = "concat", .in = {ints({kN, 1}), ints({kN, 2})}, .may_refuse = true},
    {.name = "tile", .op = "repeat_heads", .in = {rows({kN, 3, 17})}, .attrs = {{"times", 2}, {"mode", "tile"}}},
    {.name = "group", .op = "repeat_heads", .in = {rows({kN, 3, 17})}, .attrs = {{"times", 4}, {"mode", "group"}}},
    {.name = "one head", .op = "repeat_heads", .in = {rows({kN, 1, 8})}, .attrs = {{"times", 7}, {"mode", "tile"}}},
    {.name = "rows", .op = "gather_rows", .in = {rows({kN, 67}), ids({kM}, 0)}},
    {.name = "heads", .op = "gather_rows", .in = {rows({kN, 3, 5}), ids({kM}, 0)}, .may_refuse = true},
    {.name = "one", .op = "gather_rows", .in = {rows({kN, 1}), ids({kM}, 0)}},
};

MAINSPRING_OP_TEST(OpLayout, kCases);

}  // namespace
}  // namespace mainspring::inline v0
