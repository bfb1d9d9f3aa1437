import Files
import Foundation

/// Small letters and digits.
///
/// - Parameter letter: that it begins with.
func drawnID(_ letter: String) -> String { letter + String(UInt64.random(in: 1 << 40 ..< 1 << 60), radix: 36) }

/// Records of one kind as JSON files, each in a folder of its own that its id names and that holds what belongs to it. They
/// are written whole at every change.
struct RecordFolder<Record: Codable & Identifiable & Sendable>: Sendable where Record.ID == String {
    private let path: String
    private let fileName: String
    /// That ids begin with.
    private let letter: String

    private static var byteLimit: Int { 64 << 20 }

    init(path: String, fileName: String, letter: String) throws(FileError) {
        self.path = path
        self.fileName = fileName
        self.letter = letter
        try createDirectory(path)
    }

    func newID() -> String { drawnID(letter) }

    func folder(of id: String) -> String { path.appendingPath(id) }

    private func file(of id: String) -> String { folder(of: id).appendingPath(fileName) }

    /// What is there when a server starts.
    ///
    /// - Parameter orphaned: told of folders with such an id that have no record.
    /// - Throws: `FileError` for a record that cannot be read, naming it.
    func all(orphaned: (_ id: String) -> Void = { _ in }) throws(FileError) -> [Record] {
        var records: [Record] = []
        for id in try directoryEntries(path).sortedBytewise() {
            let file = file(of: id)
            guard fileExists(file) else {
                if isID(id) { orphaned(id) }
                continue
            }
            TemporaryPath.sweep(of: file)
            let bytes = try InputFile.contents(of: file, limit: Self.byteLimit)
            guard let record = try? ResultJSON.decoder.decode(Record.self, from: Data(bytes)), record.id == id else {
                throw FileError(path: file, problem: .damaged(reason: "it is not what the server writes there. Move the folder \(id) away"))
            }
            records.append(record)
        }
        return records
    }

    private func isID(_ name: String) -> Bool {
        name.utf8.count > 8 && name.hasPrefix(letter) && name.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) }
    }

    func write(_ record: Record) throws { try DurableFile.write(ResultJSON.text(record), to: file(of: record.id)) }

    /// What belongs to it stays, and is orphaned.
    func removeRecord(of id: String) throws(FileError) { try removeFile(file(of: id)) }
}
