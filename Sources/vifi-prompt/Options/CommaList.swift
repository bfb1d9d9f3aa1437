import ArgumentParser
import CLIPModel
import Experiments
import Files
import Foundation

/// What the members of a list with commas are.
protocol CommaListMember {
    associatedtype Value: Equatable
    /// Nil where the text is no such member.
    static func value(_ text: String) -> Value?
    /// Of one member, for errors: "a whole number from 0".
    static var kind: String { get }
    /// For errors: "1,2,3".
    static var example: String { get }
    /// Where there are only so many, what a misspelt one is compared with.
    static var choices: [String] { get }
    static var allowsRepeats: Bool { get }
}

extension CommaListMember {
    static var choices: [String] { [] }
    static var allowsRepeats: Bool { false }
}

/// Values with commas between them, such as `1,2,3`: every list on the command line.
///
/// Blanks around a member mean nothing.
struct CommaList<Member: CommaListMember>: Equatable {
    let values: [Member.Value]

    init(_ values: [Member.Value]) { self.values = values }

    /// For `transform`: what it throws is shown behind the option's name.
    ///
    /// - Throws: `ValidationError` naming the member that is wrong or given twice.
    init(argument: String) throws {
        var values: [Member.Value] = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let text = String(part).trimmingCharacters(in: .whitespaces)
            guard let value = Member.value(text) else { throw ValidationError(Self.complaint(about: text)) }
            guard Member.allowsRepeats || !values.contains(value) else { throw ValidationError("'\(text.escapedForDisplay)' is given twice.") }
            values.append(value)
        }
        self.values = values
    }

    private static func complaint(about text: String) -> String {
        let problem = text.isEmpty ? "a member is empty" : "'\(text.escapedForDisplay)' is not \(Member.kind)"
        let meant = text.nearest(among: Member.choices).map { " Did you mean '\($0)'?" } ?? ""
        let rule = Member.choices.isEmpty ? "Separate the members by commas: \(Member.example)." : "Choose from \(Member.choices.joined(separator: ", "))."
        return "\(problem).\(meant) \(rule)"
    }
}

// MARK: - Members

enum SeedMember: CommaListMember {
    static func value(_ text: String) -> Int? { Int(text).flatMap { $0 >= 0 ? $0 : nil } }
    static let kind = "a seed, which is a whole number from 0"
    static let example = "1,2,3"
}

enum ShotsMember: CommaListMember {
    static func value(_ text: String) -> Int? { Int(text).flatMap { (1...1_000_000).contains($0) ? $0 : nil } }
    static let kind = "a number of clips between 1 and 1000000"
    static let example = "2,4,8,16"
}

enum ThresholdMember: CommaListMember {
    static func value(_ text: String) -> Float? { Float(text).flatMap { (0...1).contains($0) ? $0 : nil } }
    static let kind = "a number between 0 and 1"
    static let example = "0.2,0.5"
}

enum HeadsMember: CommaListMember {
    static func value(_ text: String) -> Int? { Int(text).flatMap { (1...1024).contains($0) ? $0 : nil } }
    static let kind = "a number of heads between 1 and 1024"
    static let example = "12,8"
    /// Both towers may have the same number.
    static let allowsRepeats = true
}

enum ThreadCountMember: CommaListMember {
    static func value(_ text: String) -> Int? { Int(text).flatMap { (1...1024).contains($0) ? $0 : nil } }
    static let kind = "a number of threads between 1 and 1024"
    static let example = "4,16,64"
    /// The same number twice is measured twice.
    static let allowsRepeats = true
}

enum MethodMember: CommaListMember {
    static func value(_ text: String) -> LearningMethod? { LearningMethod(rawValue: text) }
    static let kind = "a method"
    static let example = "prompt,fine-tune"
    static let choices = LearningMethod.all.map(\.rawValue)
}

/// Names of classes, or parts of names with commas in them; which classes they are is found out later.
enum ClassMember: CommaListMember {
    static func value(_ text: String) -> String? { text.isEmpty ? nil : text }
    static let kind = "a class name"
    static let example = "archery,golf"
    static let allowsRepeats = true
}

/// Values of a flag that is varied.
enum VariedMember: CommaListMember {
    static func value(_ text: String) -> String? { text.isEmpty ? nil : text }
    static let kind = "a value"
    static let example = "2,4,8"
}

typealias SeedList = CommaList<SeedMember>
typealias ShotList = CommaList<ShotsMember>
typealias ThreadCountList = CommaList<ThreadCountMember>

extension HeadCounts {
    /// For `transform`: "12,8".
    static func parsed(_ argument: String) throws -> HeadCounts {
        let counts = try CommaList<HeadsMember>(argument: argument).values
        guard counts.count == 2 else { throw ValidationError("two numbers are needed, of the image and of the text tower: \(HeadsMember.example).") }
        return HeadCounts(vision: counts[0], text: counts[1])
    }
}
