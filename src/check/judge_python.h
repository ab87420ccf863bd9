// What runs inside the sandbox of a program, in Python, behind kValuesPython. The judge runs the tests and
// alone holds the descriptor of the verdict; the servant, forked from it before it has read anything, runs
// the program. The names of the program are stand-ins in the tests: they send arguments and get plain values
// (values_python.h) or exceptions by name. Nothing that the program defines is called in the judge, and what
// the program says is never taken for whether it is right:
//
// - An object of the program's own class passes only where the tests name such a class, as a stand-in with
//   the program's methods. Compared with a plain value it is refused, unless its class derives from one.
// - Other results are functions and iterators, to call and to go through, or are refused by name.
#pragma once

namespace sdft {

inline constexpr const char* kJudgePython = R"py(
INPUT, VERDICT = 0, 4  # the judge's descriptors
UNARY = {'len': len, 'bool': bool, 'str': str, 'repr': repr, 'hash': hash, 'abs': abs, 'int': int, 'float': float,
         'round': round, 'neg': operator.neg, 'pos': operator.pos, 'invert': operator.invert, 'reversed': reversed}
BINARY = {name: getattr(operator, '__%s__' % name) for name in
          ('add', 'sub', 'mul', 'truediv', 'floordiv', 'mod', 'pow', 'matmul', 'and', 'or', 'xor', 'lshift', 'rshift')}
ORDER = {name: getattr(operator, name) for name in ('eq', 'ne', 'lt', 'le', 'gt', 'ge')}


class Remote:
    """Something that the other process has, by its number there."""
    __slots__ = ('sdft_link', 'sdft_number')

    def __init__(self, link, number):
        object.__setattr__(self, 'sdft_link', link)
        object.__setattr__(self, 'sdft_number', number)

    def __reduce_ex__(self, _):
        self.sdft_link.refuse('a copy of something of the program')


class RemoteFunction(Remote):
    __slots__ = ()

    def __call__(self, *args, **named):
        return self.sdft_link.call(self, args, named)

    def __getattr__(self, name):
        if name in ('__name__', '__qualname__'):
            return self.sdft_link.ask('get', self, name)
        raise AttributeError(name)


class RemoteIterator(Remote):
    __slots__ = ()

    def __iter__(self):
        return self

    def __next__(self):
        return self.sdft_link.ask('next', self)


class Lost(BaseException):
    """The other process has gone."""


class Link:
    """One end of the pipes: asks the other end, and serves it while it waits."""

    def __init__(self, incoming, outgoing):
        self.incoming, self.outgoing = incoming, outgoing
        self.lent, self.numbers = [], {}  # what the other end may name

    def send(self, mark, writer):
        data = mark + b''.join(writer.parts)
        if len(data) > MOST_BYTES:
            raise Refused('a value of more than 16 MB')
        data = memoryview(b'%d:%s' % (len(data), data))
        while data:
            try:
                data = data[os.write(self.outgoing, data):]
            except BrokenPipeError:
                raise Lost

    def receive(self):
        head = b''
        while not head.endswith(b':'):
            byte = os.read(self.incoming, 1)
            head += byte
            if not byte:
                raise Lost
            if len(head) > 9:
                raise Malformed
        data = bytearray(int(head[:-1]))
        rest = memoryview(data)
        if len(data) > MOST_BYTES:
            raise Malformed
        while rest:
            count = os.readv(self.incoming, [rest])
            rest = rest[count:]
            if not count:
                raise Lost
        return bytes(data)

    def ask(self, *request):
        writer = Writer(self)
        writer.write(request)
        self.send(b'Q', writer)
        while True:
            message = self.receive()
            if message[:1] != b'Q':
                break
            self.serve(Reader(self, message, 1))
        mark, value = self.answer(message[:1], Reader(self, message, 1, writer.objects))
        if mark == b'R':
            raise Refused(value)
        if mark == b'A':
            return value
        # An end that the tests' own loop would take for its own (PEP 479).
        if request[0] != 'next' and isinstance(value, (StopIteration, StopAsyncIteration, GeneratorExit)):
            value = RuntimeError('raised %s' % type(value).__name__)
        raise value

    def answer(self, mark, reader):
        value = reader.read()
        reader.changes()
        if mark not in (b'A', b'E', b'R'):
            raise Malformed
        return mark, self.raised(*value) if mark == b'E' else value

    def serve(self, reader):
        action, *operands = reader.read()
        before = [parts_of(value) for value in reader.objects]
        writer = Writer(self, reader.objects)
        try:
            try:
                mark, value = b'A', self.do(action, *operands)
            except (Refused, Lost):
                raise
            except BaseException as error:
                mark, value = b'E', self.described(error)
            writer.write(value)
            writer.changes(before)
            self.send(mark, writer)
        except (Refused, Exception) as error:
            writer = Writer(self)
            writer.write(scalar_text(error))
            writer.changes([])
            self.send(b'R', writer)

    def refuse(self, what):
        raise Refused(what)

    def number(self, value):
        if id(value) not in self.numbers:
            self.numbers[id(value)] = len(self.lent)
            self.lent.append(value)
        return self.numbers[id(value)]

    def lend(self, value, kind):
        if isinstance(value, Remote):
            return b'm?%d;' % value.sdft_number
        if hasattr(kind, '__next__'):
            return b'hi%d;' % self.number(value)
        if callable(value):
            return b'hc%d;' % self.number(value)

    def described(self, error):
        """An exception: its builtin class, what the program derived from that, and plain values."""
        more = {name: value for name, value in vars(error).items() if scalar(value) is value}
        return *self.lineage(type(error)), tuple(map(scalar, error.args)), scalar_text(error), more

    def lineage(self, kind):
        base = next(base for base in kind.__mro__ if EXCEPTIONS.get(base.__name__) is base)
        return base.__name__, [(self.number(base), base.__name__) for base in reversed(kind.__mro__)
                               if issubclass(base, BaseException) and EXCEPTIONS.get(base.__name__) is not base]


def scalar(value):
    return value if type(value) in (int, float, str, bytes, bool, type(None)) else scalar_text(value)


def scalar_text(value):
    try:
        return PLAIN[str](str(value))[:1000]
    except Exception:
        return type(value).__name__


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


def show(error):
    sys.__excepthook__(type(error), error.with_traceback(error.__traceback__.tb_next), error.__traceback__)


# --- The program's process ---

class Servant(Link):
    shared, readable = TYPES, BUILTINS  # builtins passed by name
    objects = False                     # whether the tests may have objects of the program's own classes

    def borrowed(self, mark, number):
        if mark == b'm?':
            return self.lent[number]
        return (RemoteIterator if mark == b'hi' else RemoteFunction)(self, number)

    def lend(self, value, kind):
        if isinstance(value, type) and value.__module__ == 'program':
            return b'hk%d;' % self.number(value)
        if self.objects and kind.__module__ == 'program':
            return b'ho%d;' % self.number(value)
        return super().lend(value, kind)

    def call(self, function, args, named):
        return self.ask('call', function, args, named)

    def raised(self, base, derived, args, text, more):
        return EXCEPTIONS[base](text)

    def do(self, action, *operands):
        try:
            return getattr(self, 'do_' + action)(*operands)
        finally:
            flush()

    def do_load(self, source):
        self.program = sys.modules['program'] = type(sys)('program')
        del sys.modules['__main__']
        try:
            exec(compile(source, 'program.py', 'exec', dont_inherit=True), self.program.__dict__)
            return True
        except SystemExit:
            print('sys.exit was called')
        except BaseException as error:
            show(error)
        return False

    def do_kinds(self, names):
        found = [(name, self.program.__dict__[name]) for name in names if name in self.program.__dict__]
        return [(name, 'module' if type(value) is type(sys) else
                 'value' if not isinstance(value, type) or value.__module__ != 'program' else
                 'exception' if issubclass(value, BaseException) else 'class') for name, value in found]

    def do_open(self):
        self.objects = True

    def do_value(self, name):
        return self.program.__dict__[name]

    def do_exception(self, name):
        return self.lineage(self.program.__dict__[name])

    def do_call(self, function, args, named, capture):
        if not capture:
            return function(*args, **named), ''
        kept, sys.stdout = sys.stdout, __import__('io').StringIO()
        try:
            return function(*args, **named), sys.stdout.getvalue()
        finally:
            sys.stdout = kept

    def do_plain(self, value):
        base = next((base for base in type(value).__mro__ if base in PLAIN), None)
        return (True, PLAIN[base](value)) if base else (False, None)

    do_next, do_iter, do_get, do_set, do_delete = map(staticmethod, (next, iter, getattr, setattr, delattr))
    do_item, do_set_item, do_delete_item, do_contains = map(staticmethod, (
        operator.getitem, operator.setitem, operator.delitem, operator.contains))
    do_unary = staticmethod(lambda name, value, *more: UNARY[name](value, *more))
    do_binary = staticmethod(lambda name, left, right: BINARY[name](left, right))
    do_order = staticmethod(lambda name, left, right: bool(ORDER[name](left, right)))
    do_is_a = staticmethod(lambda value, kind, derived: (issubclass if derived else isinstance)(value, kind))
    do_enter = staticmethod(lambda value: value.__enter__())
    do_exit = staticmethod(lambda value: value.__exit__(None, None, None))


# --- The judge's process ---

def verdict(word, what=''):
    """Ends the judge."""
    flush()
    text = '%s\n%s' % (word, ' '.join(what.replace('\0', ' ').split())[:200])
    os.write(VERDICT, text.encode('utf-8', 'replace') + b'\0')
    os._exit(0)


class RemoteObject(RemoteFunction):
    """An object or a class of the program."""
    __slots__ = ()


def asking(action, *first):
    return lambda self, *operands: self.sdft_link.ask(action, *first, self, *operands)


def binary(name, swapped):
    def apply(self, other):
        result = self.sdft_link.ask('binary', name, *((other, self) if swapped else (self, other)))
        # The program could answer f(x) - 4 with 0 whatever f(x) is.
        if not isinstance(result, Remote) and not isinstance(other, Remote):
            self.sdft_link.refuse('a plain result of an object and a plain value')
        return result
    return apply


def order(name):
    def compare(self, other):
        if isinstance(other, Remote):
            return other is self if name == 'eq' and other is self else self.sdft_link.ask(
                'order', name, self, other)
        if other is None and name in ('eq', 'ne'):
            return name == 'ne'
        plain, value = self.sdft_link.ask('plain', self)
        if not plain or isinstance(value, Remote):
            self.sdft_link.refuse('an object compared with a plain value')
        return ORDER[name](value, other)
    return compare


for name in UNARY:
    setattr(RemoteObject, '__%s__' % name, asking('unary', name))
for name in BINARY:
    setattr(RemoteObject, '__%s__' % name, binary(name, False))
    setattr(RemoteObject, '__r%s__' % name, binary(name, True))
for name in ORDER:
    setattr(RemoteObject, '__%s__' % name, order(name))
for name, action in (('getattr', 'get'), ('setattr', 'set'), ('delattr', 'delete'), ('iter', 'iter'), ('next', 'next'),
                     ('getitem', 'item'), ('setitem', 'set_item'), ('delitem', 'delete_item'),
                     ('contains', 'contains'), ('enter', 'enter')):
    setattr(RemoteObject, '__%s__' % name, asking(action))
RemoteObject.__exit__ = lambda self, *_: self.sdft_link.ask('exit', self)
RemoteObject.__instancecheck__ = lambda self, value: (
    isinstance(value, RemoteObject) and bool(self.sdft_link.ask('is_a', value, self, False)))
RemoteObject.__subclasscheck__ = lambda self, value: (
    isinstance(value, RemoteObject) and bool(self.sdft_link.ask('is_a', value, self, True)))


class Judge(Link):
    """What the servant says badly, or may not say, ends the judge, whatever the tests would catch."""

    shared, readable = BUILTINS, TYPES

    def __init__(self, incoming, outgoing, servant):
        super().__init__(incoming, outgoing)
        self.servant, self.known, self.exceptions, self.objects = servant, {}, {}, False
        self.output, self.missing = sys.stdout, {}

    def ask(self, *request):
        try:
            return super().ask(*request)
        except Refused as refused:
            self.refuse(str(refused))
        except Lost:
            self.lost()

    def refuse(self, what):
        verdict('unsupported_value', what)

    def lost(self):
        for _ in range(100):  # it closes its pipes a moment before it can be waited for
            ended, status = os.waitpid(self.servant, os.WNOHANG)
            if ended:
                verdict('timed_out' if os.WIFSIGNALED(status) and os.WTERMSIG(status) == 24 else 'crashed')
            __import__('time').sleep(0.002)
        verdict('crashed')

    def receive(self):
        try:
            return super().receive()
        except (ValueError, Malformed):
            verdict('bad_reply', 'no length')

    def answer(self, mark, reader):
        try:
            return super().answer(mark, reader)
        except Exception as error:
            verdict('bad_reply', type(error).__name__)

    def serve(self, reader):
        try:
            super().serve(reader)
        except Exception as error:
            verdict('bad_reply', type(error).__name__)

    def do(self, action, value, args=(), named={}):
        if action == 'next':
            return next(value)
        if action != 'call' or not any(value is lent for lent in self.lent):
            raise Malformed
        return value(*args, **named)

    def borrowed(self, mark, number):
        if mark == b'm?':
            return self.lent[number]
        kind = {b'hi': RemoteIterator, b'hc': RemoteFunction, b'hk': RemoteFunction}.get(mark)
        if self.objects and mark in (b'hk', b'ho'):
            kind = RemoteObject
        if (mark, number) not in self.known:
            self.known[mark, number] = kind(self, number)
        return self.known[mark, number]

    def call(self, function, args, named):
        result = self.ask('call', function, args, named, sys.stdout is not self.output)
        if type(result) is not tuple or len(result) != 2 or type(result[1]) is not str:
            verdict('bad_reply', 'no result')
        if result[1]:
            sys.stdout.write(result[1])
        return result[0]

    def raised(self, base, derived, args, text, more):
        kind = self.exception(base, derived)
        try:
            error = kind(*args)
        except Exception:
            error = Exception(text)
        if derived:
            error.sdft_text = text
        error.__dict__.update(more)
        return error

    def exception(self, base, derived):
        kind = EXCEPTIONS[base]
        for number, name in derived:
            if number not in self.exceptions:
                self.exceptions[number] = type(name, (kind,), {
                    '__module__': 'program',
                    '__str__': lambda self: self.__dict__.get('sdft_text') or super(kind, self).__str__()})
            kind = self.exceptions[number]
        return kind

    def take_names(self, names, asked, classes, tests):
        """Puts the program's names that the tests mention among theirs (the record's own helpers stay), but none
        of a builtin that the record does not ask for."""
        words = set(''.join(c if c.isalnum() or c == '_' else ' ' for c in tests).split())
        kinds = self.ask('kinds', [word for word in sorted(words) if word.isidentifier() and word[:2] != '__' and
                                   (word in asked or not hasattr(builtins, word))])
        kinds = [(str(name), str(kind)) for name, kind in kinds if name in words]
        kinds = [(name, kind) for name, kind in kinds
                 if name not in names or name in asked or kind == 'class' and isinstance(names[name], type)]
        # Where the record does not say what is a class, its capital letter does.
        if any(kind == 'class' and (name in classes or not asked and name[0].isupper()) for name, kind in kinds):
            self.ask('open')
            self.objects = True
        for name, kind in kinds:
            if kind == 'module' and name in MODULES:
                names[name] = __import__(MODULES[name])
            elif kind == 'exception':
                names[name] = self.exception(*self.ask('exception', name))
            elif kind in ('class', 'value'):
                try:
                    names[name] = super().ask('value', name)
                except Refused as refused:  # said where the tests use it
                    self.missing[name] = str(refused)


MODULES = {**{name: name for name in sys.stdlib_module_names}, 'np': 'numpy', 'pd': 'pandas', 'numpy': 'numpy'}


def judge(link, code, tests, helpers, functions, classes):
    names = sys.modules['__main__'] = type(sys)('__main__')
    if link.ask('load', code) is not True:
        verdict('failed', 'the program does not load')
    try:
        exec(compile(helpers, 'helpers.py', 'exec', dont_inherit=True), names.__dict__)
        tests_code = compile(tests, 'tests.py', 'exec', dont_inherit=True)
    except BaseException as error:
        verdict('bad_tests', '%s: %s' % (type(error).__name__, error))
    link.take_names(names.__dict__, set(functions) | set(classes), set(classes), tests)
    try:
        exec(tests_code, names.__dict__)
    except BaseException as error:
        if isinstance(error, NameError) and error.name in link.missing:
            link.refuse(link.missing[error.name])
        show(error)
        verdict('failed', type(error).__name__)
    verdict('passed')


# --- The start of both ---

def restrict(rules):
    """From here on no new process, and no other program in this one (seccomp.h)."""
    import _ctypes, array
    rules = array.array('B', bytes.fromhex(rules))
    address, size = rules.buffer_info()
    program = (size // 8).to_bytes(8, 'little') + address.to_bytes(8, 'little')
    prctl = _ctypes.dlsym(_ctypes.dlopen(None, 0), 'prctl')
    if _ctypes.call_function(prctl, (22, 2, program)) != 0:
        raise OSError('the system-call filter is refused')


def start(rules, *limits):
    for name, most in zip(('CPU', 'AS', 'FSIZE', 'NPROC', 'NOFILE', 'CORE'), map(int, limits)):
        kind = getattr(resource, 'RLIMIT_' + name)
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    sys.argv[:] = ['program.py']
    sys.path[:] = [folder for folder in sys.path if folder]  # nothing that a program writes is imported
    requests, to_servant = os.pipe()
    from_servant, answers = os.pipe()
    servant = os.fork()
    if not servant:
        for descriptor in (VERDICT, to_servant, from_servant):
            os.close(descriptor)
        nothing, end = os.pipe()
        os.close(end)
        os.dup2(nothing, INPUT)
        os.close(nothing)
        restrict(rules)
        link = Servant(requests, answers)
        try:
            while True:
                link.serve(Reader(link, link.receive(), 1))
        except Lost:
            os._exit(0)
    os.close(requests)
    os.close(answers)
    __import__('_signal').signal(2, 0)  # no KeyboardInterrupt that tests could catch
    restrict(rules)
    parts = Reader(None, sys.stdin.buffer.read(), 0).read()
    os.write(VERDICT, b'\1')
    judge(Judge(from_servant, to_servant, servant), *parts)


start(*sys.argv[1:])
)py";

}  // namespace sdft
