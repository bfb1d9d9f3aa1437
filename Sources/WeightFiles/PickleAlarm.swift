/// Names that run programs, or what a file says, on the machine that loads it. A courtesy: nothing is run here
/// whatever the name, but a person should know what the file tried.
///
/// Only names that are dangerous by themselves are here. `getattr`, `xrange`, `partial` and the like stand in files
/// that Lightning, mmengine and schedulers write; to do harm they need one of these beside them.
/// Source: the modules and functions that published attacks use, as in picklescan's and fickling's lists.
enum PickleAlarm {
    static func isRaised(by module: String, name: String) -> Bool {
        if isDangerous(module: module, name: name) { return true }
        // Later protocols and `getattr` reach a module through another one: `torch` and `os.system`.
        return name.utf8.contains(UInt8(ascii: ".")) && isRaised(byPath: name)
    }

    /// Whether any way to read a dotted name as a module and what is in it raises the alarm.
    static func isRaised(byPath path: String) -> Bool {
        let parts = path.split(separator: ".", omittingEmptySubsequences: false).prefix(12)
        for first in parts.indices.dropLast() where tops.contains(String(parts[first])) {
            for last in first..<(parts.endIndex - 1)
            where isDangerous(
                module: parts[first...last].joined(separator: "."), name: parts[(last + 1)...].joined(separator: "."))
            {
                return true
            }
        }
        return false
    }

    private static func isDangerous(module: String, name: String) -> Bool {
        let parts = module.split(separator: ".", omittingEmptySubsequences: false)
        guard let top = parts.first.map(String.init) else { return false }
        if let harmless = whole[top] { return !harmless.contains(name) }
        if some[module]?.contains(name) == true { return true }
        return (1...max(1, min(parts.count, 6))).contains { some[parts.prefix($0).joined(separator: ".")]?.contains(everything) == true }
    }

    /// Stands for all names of a module and of the modules in it.
    private static let everything = "*"

    /// The first words of all modules below.
    private static let tops = Set(whole.keys).union(some.keys.map { String($0.prefix { $0 != "." }) })

    /// Modules of which nothing belongs into a checkpoint, but for these names of data.
    private static let whole: [String: Set<String>] = [
        "os": ["stat_result", "statvfs_result", "terminal_size", "times_result", "uname_result", "PathLike", "_Environ"],
        "posix": ["stat_result", "statvfs_result", "terminal_size", "times_result", "uname_result"],
        "nt": ["stat_result"], "sys": [], "subprocess": [], "pty": [], "runpy": [], "ctypes": [], "_ctypes": [],
        "imp": [], "zipimport": [], "popen2": [], "webbrowser": [], "socketserver": [], "bdb": [], "pdb": [], "ensurepip": [],
        "marshal": [], "shutil": [], "_posixsubprocess": [], "antigravity": [], "_xxsubinterpreters": [], "_interpreters": [],
    ]

    /// Functions and classes of other modules, which have names of data and namesakes of people's own besides.
    private static let some: [String: Set<String>] = {
        let builtins: Set<String> = [
            "eval", "exec", "execfile", "compile", "__import__", "open", "file", "input", "raw_input", "breakpoint", "exit", "quit",
            "apply", "reload", "globals", "setattr", "delattr", "help",
        ]
        let loaders: Set<String> = ["load", "loads", "Unpickler", "_Unpickler"]
        return [
            "builtins": builtins, "__builtin__": builtins,
            "pickle": loaders, "_pickle": loaders, "cPickle": loaders, "dill": loaders, "dill._dill": loaders, "cloudpickle": loaders,
            "joblib": loaders, "shelve": ["open", "Shelf", "DbfilenameShelf"],
            "importlib": ["import_module", "__import__", "reload"], "importlib._bootstrap": ["*"],
            "importlib._bootstrap_external": ["*"], "importlib.util": ["*"], "importlib.machinery": ["*"],
            "_frozen_importlib": ["*"], "_frozen_importlib_external": ["*"], "pkgutil": ["resolve_name", "get_loader", "find_loader"],
            "io": ["open", "FileIO", "open_code"], "_io": ["open", "FileIO", "open_code"], "codecs": ["open"],
            "types": ["FunctionType", "CodeType"], "_thread": ["start_new_thread", "start_new", "start_joinable_thread"], "atexit": ["register"],
            "socket": ["socket", "create_connection", "create_server", "socketpair", "fromfd"], "_socket": ["socket"],
            "multiprocessing.util": ["spawnv_passfds"], "multiprocessing.connection": ["Client", "Listener"],
            "multiprocessing.process": ["Process"], "multiprocessing.context": ["Process"], "multiprocessing": ["Process", "Pool"],
            "commands": ["getoutput", "getstatusoutput"], "platform": ["popen", "_syscmd_ver"],
            "code": ["InteractiveInterpreter", "InteractiveConsole", "interact"], "codeop": ["compile_command"],
            "timeit": ["timeit", "repeat", "Timer", "main"], "cProfile": ["run", "runctx"], "profile": ["run", "runctx"],
            "trace": ["Trace", "Trace.run"], "doctest": ["debug_script", "testmod", "testfile"], "pydoc": ["pipepager", "tempfilepager", "locate"],
            "pip": ["*"], "distutils.spawn": ["*"], "distutils.file_util": ["*"], "setuptools.sandbox": ["*"],
            "idlelib.run": ["*"], "idlelib.pyshell": ["*"], "lib2to3.pgen2.grammar": ["loads"], "lib2to3.pgen2.pgen": ["*"],
            "urllib": ["urlopen", "urlretrieve"], "urllib.request": ["*"], "urllib2": ["*"], "requests": ["get", "post", "put", "delete", "request"], "requests.api": ["*"],
            "httplib": ["*"], "http.client": ["HTTPConnection", "HTTPSConnection"], "ftplib": ["*"], "smtplib": ["*"], "aiohttp": ["*"],
            "asyncio.subprocess": ["*"], "asyncio": ["create_subprocess_exec", "create_subprocess_shell"],
            "_aix_support": ["_read_cmd_output"], "_osx_support": ["_read_output", "_find_build_tool"], "uuid": ["_get_command_stdout", "_popen"],
            "numpy": ["load"], "numpy.f2py": ["*"], "numpy.testing._private.utils": ["runstring", "run_command"],
            "torch": ["load"], "torch.hub": ["load", "load_state_dict_from_url", "download_url_to_file"], "torch.jit": ["load"],
            "torch.package": ["PackageImporter"], "torch.serialization": ["load"], "torch.ops": ["load_library"], "torch.classes": ["load_library"],
            "torch.utils.cpp_extension": ["load", "load_inline"], "torch.utils.collect_env": ["run"],
            "torch.utils.bottleneck.__main__": ["*"], "torch.jit.unsupported_tensor_ops": ["execWrapper"],
            "torch._inductor.codecache": ["compile_file"], "torch.fx.experimental.symbolic_shapes": ["ShapeEnv.evaluate_guards_expression"],
            "torch.utils._config_module": ["ConfigModule.load_config", "load_config"], "torch.distributed.rpc": ["*"],
            "pandas": ["read_pickle", "eval"], "yaml": ["unsafe_load", "full_load"], "test.support.script_helper": ["*"],
        ]
    }()
}
