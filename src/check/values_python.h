// Values as bytes and back, in Python: how the two processes of a judged program (judge_python.h) tell each
// other arguments and results. Reading makes plain values of the reader's own, or fails; it runs nothing of
// the sender. A value is a byte that names its kind, then text up to ';', or a count, ':' and bytes or
// values:
//
//   N F T . !        None, False, True, Ellipsis, NotImplemented
//   i f c s b        int (hexadecimal), float, complex, str, bytes
//   u z g w          tuple, frozenset, range, a view of a dict
//   l e y d q O C D  list, set, bytearray, dict, deque, OrderedDict, Counter, defaultdict; numbered as they
//   come r                the one of that number again v x              a value of the standard library, a
//   builtin by name h m              what the sender has, what the reader has, by number
#pragma once

namespace sdft {

inline constexpr const char* kValuesPython = R"py(
import builtins, operator, os, resource, sys

MOST_BYTES = 1 << 24  # of a message
MOST_DEPTH = 150      # of values within values
EXCEPTIONS = {name: kind for name, kind in vars(builtins).items()
              if isinstance(kind, type) and issubclass(kind, BaseException)}
TYPES = {kind.__name__: kind for kind in
         (int, float, complex, bool, str, bytes, bytearray, tuple, list, dict, set, frozenset, range, object, type,
          type(None))}
TYPES.update(EXCEPTIONS)
BUILTINS = {name: value for name, value in vars(builtins).items() if type(value) in (type, type(len))}
SINGLE = {None: b'N', False: b'F', True: b'T', Ellipsis: b'.', NotImplemented: b'!'}
NAMED = {mark[0]: value for value, mark in SINGLE.items()}
# Mutable values by their mark, the last four of collections.
MUTABLE = {b'l': 'list', b'e': 'set', b'y': 'bytearray', b'd': 'dict',
           b'q': 'deque', b'O': 'OrderedDict', b'C': 'Counter', b'D': 'defaultdict'}
# Values of the standard library, by what makes them again.
VALUES = {
    ('decimal', 'Decimal'): lambda v: (str(v),),
    ('fractions', 'Fraction'): lambda v: (v.numerator, v.denominator),
    ('datetime', 'date'): lambda v: (v.year, v.month, v.day),
    ('datetime', 'datetime'): lambda v: (v.year, v.month, v.day, v.hour, v.minute, v.second, v.microsecond, v.tzinfo),
    ('datetime', 'time'): lambda v: (v.hour, v.minute, v.second, v.microsecond, v.tzinfo),
    ('datetime', 'timedelta'): lambda v: (v.days, v.seconds, v.microseconds),
}
VIEWS = {type({}.keys()): b'k', type({}.values()): b'v', type({}.items()): b'i'}
# A value of a subclass as one of the plain class, whatever its own methods say.
PLAIN = {
    int: int.__index__, float: float.__pos__, complex: complex.__pos__, str: str.__str__,
    bytes: lambda v: bytes.__getitem__(v, slice(None)), bytearray: lambda v: bytearray.__getitem__(v, slice(None)),
    tuple: lambda v: tuple(tuple.__iter__(v)), list: lambda v: list(list.__iter__(v)),
    dict: lambda v: dict(dict.items(v)), set: lambda v: set(set.__iter__(v)),
    frozenset: lambda v: frozenset(frozenset.__iter__(v)),
}


class Refused(BaseException):
    """A value that does not pass between the processes; the text says which."""


class Malformed(Exception):
    """Bytes that are no message."""


def mutable_class(mark):
    name = MUTABLE[mark]
    return getattr(builtins, name, None) or getattr(__import__('collections'), name)


def mark_of(kind):
    if kind.__module__ in ('builtins', 'collections'):
        mark = next((mark for mark, name in MUTABLE.items() if name == kind.__name__), None)
        return mark if mark and mutable_class(mark) is kind else None


def parts_of(value):
    """What a mutable value holds."""
    if isinstance(value, dict):
        return [part for item in dict.items(value) for part in item]
    return list(value)


def pairs(parts):
    return list(zip(parts[::2], parts[1::2]))


class Writer:
    """Mutable values are numbered as they come, so that the other side knows them again."""

    def __init__(self, link, objects=()):
        self.link, self.objects, self.parts, self.kept = link, list(objects), [], []
        self.numbers = {id(value): number for number, value in enumerate(self.objects)}

    def write(self, value, depth=0):
        put, kind = self.parts.append, type(value)
        if depth > MOST_DEPTH:
            raise Refused('a value nested too deeply')
        if kind is int:
            put(b'i%x;' % value if value >= 0 else b'i-%x;' % -value)
        elif kind is str:
            text = value.encode('utf-8', 'surrogatepass')
            put(b's%d:%s' % (len(text), text))
        elif kind is float:
            put(b'f%s;' % repr(value).encode())
        elif kind is bool or value is None or value is Ellipsis or value is NotImplemented:
            put(SINGLE[value])
        elif kind is tuple or kind is frozenset:
            self.several(b'u' if kind is tuple else b'z', value, depth)
        elif id(value) in self.numbers:
            put(b'r%d;' % self.numbers[id(value)])
        elif kind is bytes:
            put(b'b%d:%s' % (len(value), value))
        elif kind is complex:
            put(b'c%s;%s;' % (repr(value.real).encode(), repr(value.imag).encode()))
        else:
            mark = mark_of(kind)
            if mark:
                self.numbers[id(value)] = len(self.objects)
                self.objects.append(value)
                self.several(mark, parts_of(value), depth)
            else:
                self.other(value, kind, depth)

    def several(self, mark, values, depth):
        self.parts.append(b'%s%d:' % (mark, len(values)))
        for value in values:
            self.write(value, depth + 1)

    def other(self, value, kind, depth):
        name = (kind.__module__, kind.__name__)
        if kind is range:
            self.several(b'g', (value.start, value.stop, value.step), depth)
        elif kind in VIEWS:
            self.several(b'w' + VIEWS[kind], [part for pair in value for part in pair] if VIEWS[kind] == b'i'
                         else value, depth)
        elif kind.__module__ == 'numpy' and getattr(value, 'shape', None) == ():
            self.write(value.item(), depth + 1)
        elif name in VALUES and getattr(sys.modules.get(name[0]), name[1], None) is kind:
            self.several(b'v', name + VALUES[name](value), depth)
        elif kind in (type, type(len)) and self.link.shared.get(value.__name__) is value:
            self.several(b'x', (value.__name__,), depth)
        else:
            mark = self.link.lend(value, kind)
            base = None if mark else next((base for base in kind.__mro__ if base in PLAIN), None)
            if not mark and not base:
                raise Refused("an object of type '%s'" % kind.__name__)
            if mark:
                self.parts.append(mark)
            else:
                self.kept.append(PLAIN[base](value))  # so that its id stays its own
                self.write(self.kept[-1], depth)

    def changes(self, before):
        """The objects that no longer hold what they did."""
        now = [parts_of(value) for value in self.objects[:len(before)]]
        changed = [number for number, (old, new) in enumerate(zip(before, now))
                   if len(old) != len(new) or not all(map(operator.is_, old, new))]
        self.parts.append(b'%d:' % len(changed))
        for number in changed:
            self.parts.append(b'%d:' % number)
            self.several(b'l', now[number], 0)


class Reader:
    def __init__(self, link, data, at, objects=()):
        self.link, self.data, self.at, self.objects = link, data, at, list(objects)

    def until(self, end):
        begin, self.at = self.at, self.data.index(end, self.at) + 1
        return self.data[begin:self.at - 1]

    def size(self):
        size = int(self.until(b':'))
        if not 0 <= size <= len(self.data) - self.at:
            raise Malformed
        return size

    def read(self, depth=0):
        mark = self.data[self.at:self.at + 1]
        self.at += 1
        if not mark or depth > MOST_DEPTH + 50:
            raise Malformed
        if mark == b'i':
            return int(self.until(b';'), 16)
        if mark == b's' or mark == b'b':
            size = self.size()
            begin, self.at = self.at, self.at + size
            part = self.data[begin:self.at]
            return part if mark == b'b' else part.decode('utf-8', 'surrogatepass')
        if mark == b'f':
            return float(self.until(b';'))
        if mark[0] in NAMED:
            return NAMED[mark[0]]
        if mark == b'r':
            return self.objects[int(self.until(b';'))]
        if mark == b'c':
            return complex(float(self.until(b';')), float(self.until(b';')))
        if mark in b'hm':
            kind = self.data[self.at:self.at + 1]
            self.at += 1
            return self.link.borrowed(mark + kind, int(self.until(b';')))
        if mark in MUTABLE:
            value = mutable_class(mark)()
            self.objects.append(value)
            refill(value, self.several(depth))
            return value
        return self.immutable(mark, depth)

    def several(self, depth):
        return [self.read(depth + 1) for _ in range(self.size())]

    def immutable(self, mark, depth):
        if mark == b'w':
            mark += self.data[self.at:self.at + 1]
            self.at += 1
        parts = self.several(depth)
        if mark in (b'u', b'z'):
            return tuple(parts) if mark == b'u' else frozenset(parts)
        if mark == b'g':
            return range(*parts)
        if mark == b'wk' or mark == b'wv':
            return dict.fromkeys(parts).keys() if mark == b'wk' else dict(enumerate(parts)).values()
        if mark == b'wi':
            return dict(pairs(parts)).items()
        if mark == b'x':
            return self.link.readable[parts[0]]
        if mark == b'v' and tuple(parts[:2]) in VALUES:
            return getattr(__import__(parts[0]), parts[1])(*parts[2:])
        raise Malformed

    def changes(self):
        for _ in range(self.size()):
            number = int(self.until(b':'))
            if self.data[self.at:self.at + 1] != b'l':
                raise Malformed
            self.at += 1
            refill(self.objects[number], self.several(0))


def refill(value, parts):
    value.clear()
    if isinstance(value, dict):
        for key, item in pairs(parts):
            value[key] = item
    elif isinstance(value, set):
        value.update(parts)
    else:
        value.extend(parts)
)py";

}  // namespace sdft
