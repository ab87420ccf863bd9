// Which names of a block are its own from its beginning.
#pragma once

#include "text/jinja/ast.h"

namespace sdft::jinja {

// Jinja decides when it compiles which block a name belongs to: a name that a block sets belongs to that
// block throughout, so that a loop inside it that comes before the `set` finds it undefined, even if the
// context has a variable of that name. Notes such names in `root` and in each statement's `unset`.
void note_unset_names(const Body& body, std::vector<std::string>* root);

}  // namespace sdft::jinja
