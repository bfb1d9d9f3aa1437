import Foundation
import TestSupport

/// NumPy archives as Python's standard library reads them, for arithmetic of its own.
enum NumpyArchiveReading {
    /// Defines `arrays(path)`, names to shape and values, and `matrix(arrays, name)`, shape and rows.
    static let script = """
        import ast, json, math, struct, sys, zipfile
        def arrays(path):
            archive = zipfile.ZipFile(path)
            result = {}
            for name in archive.namelist():
                data = archive.read(name)
                length = struct.unpack("<H", data[8:10])[0]
                header = ast.literal_eval(data[10:10 + length].decode())
                kind, body = header["descr"], data[10 + length:]
                count = math.prod(header["shape"])
                if kind[1] == "U":
                    step = 4 * int(kind[2:])
                    values = [body[i * step:(i + 1) * step].decode("utf-32-le").rstrip(chr(0)) for i in range(count)]
                else:
                    values = list(struct.unpack("<%d%s" % (count, {"<f4": "f", "<i8": "q"}[kind]), body))
                result[name[:-4]] = header["shape"], values
            return result
        def matrix(arrays, name):
            (rows, columns), values = arrays[name]
            return (rows, columns), [values[i * columns:(i + 1) * columns] for i in range(rows)]
        """

    /// What the script prints.
    static func run(_ script: String, _ arguments: [String]) throws -> Data {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script] + arguments
        process.standardOutput = output
        try process.run()
        let printed = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return printed
    }
}
