import Files
import Foundation

/// Where answers are published: `mqtt://host:port/topic`, or `mqtts` for an encrypted connection.
package struct MQTTAddress: Sendable, Equatable {
    package let text: String
    let origin: URLOrigin
    /// What stands behind the host's slash, where `%20` and the like are signs.
    let topic: String

    var isEncrypted: Bool { origin.scheme == "mqtts" }

    /// The longest topic that MQTT has, in bytes.
    private static let topicLimit = 65_535

    /// - Throws: `MQTTError`.
    package init(_ text: String) throws(MQTTError) {
        self.text = text
        guard let authority = URLOrigin.authority(of: text), let origin = URLOrigin(text), ["mqtt", "mqtts"].contains(origin.scheme),
            text[authority].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { throw MQTTError(address: text, problem: .badAddress) }
        guard !text[authority].contains("@") else { throw MQTTError(address: text, problem: .password) }
        let path = text[authority.upperBound...]
        guard path.first == "/", !path.contains("?"), let topic = String(path.dropFirst()).removingPercentEncoding, !topic.isEmpty,
            topic.utf8.count <= Self.topicLimit, !topic.unicodeScalars.contains(where: { "+#".unicodeScalars.contains($0) || $0.properties.generalCategory == .control })
        else { throw MQTTError(address: text, problem: .badTopic) }
        self.origin = origin
        self.topic = topic
    }
}

/// Who we are to a broker.
package struct MQTTCredentials: Sendable {
    let user: String?
    let password: String?

    /// - Parameter environment: of this process.
    /// - Throws: `MQTTError`.
    package init(environment: [String: String], for address: MQTTAddress) throws(MQTTError) {
        user = environment[mqttUserVariable].flatMap { $0.isEmpty ? nil : $0 }
        password = environment[mqttPasswordVariable].flatMap { $0.isEmpty ? nil : $0 }
        if user == nil, password != nil { throw MQTTError(address: address.text, problem: .passwordAlone) }
    }
}

/// Why answers cannot be published.
package struct MQTTError: ReportableError, Equatable {
    package enum Problem: Sendable, Equatable {
        case notBuilt
        case badAddress
        /// A user or a password stands in the address.
        case password
        case badTopic
        case passwordAlone
        /// No connection came about.
        case unreachable(reason: String)
        /// The broker does not want us.
        case refused(reason: String)
        /// The broker does not want the message.
        case messageRefused(reason: String)
        case shortOfMemory
    }

    package let address: String
    package let problem: Problem

    package init(address: String, problem: Problem) {
        self.address = address
        self.problem = problem
    }

    package var exitStatus: ExitStatus {
        switch problem {
        case .badAddress, .password, .badTopic, .passwordAlone: .usage
        case .notBuilt, .unreachable, .refused, .messageRefused, .shortOfMemory: .unavailable
        }
    }

    /// Whatever stands before an @ may be a password.
    private var name: String {
        guard let authority = URLOrigin.authority(of: address) else { return (address.contains("@") ? "***" : address).escapedForDisplay }
        guard address[authority.lowerBound...].contains("@") else { return address.escapedForDisplay }
        return (address[..<authority.lowerBound] + "***").escapedForDisplay
    }

    /// What is the matter, for messages about a connection that was there.
    var reason: String {
        switch problem {
        case .unreachable(let reason): reason.escapedForDisplay
        case .refused(let reason): "the broker refuses: \(reason.escapedForDisplay)"
        case .messageRefused(let reason): "the broker refuses it: \(reason.escapedForDisplay)"
        case .shortOfMemory: "memory is short"
        case .notBuilt, .badAddress, .password, .badTopic, .passwordAlone: description
        }
    }

    private static let variables = "\(mqttUserVariable) and \(mqttPasswordVariable) in the environment tell who asks"

    package var description: String {
        let words = switch problem {
        case .notBuilt:
            "this vifi-prompt was built without MQTT. Install libmosquitto-dev and build with `--traits MQTT`; or post answers by --webhook."
        case .badAddress:
            "is no address such as mqtt://127.0.0.1:1883/cameras/door, or mqtts://… for an encrypted connection."
        case .password:
            "holds a user or a password, which other users of this machine would see. Leave them out: \(Self.variables)."
        case .badTopic:
            "names no topic to publish under, as mqtt://127.0.0.1:1883/cameras/door does. + and # are for those who read; other signs than "
                + "letters, digits and / are written as %3F and the like."
        case .passwordAlone:
            "\(mqttPasswordVariable) is set without \(mqttUserVariable). Set both or neither."
        case .unreachable:
            "the broker cannot be reached: \(reason). Check host and port, and whether it runs."
        case .refused:
            "\(reason). \(Self.variables)."
        case .messageRefused, .shortOfMemory:
            "\(reason)."
        }
        return "--mqtt \(name): \(words)"
    }
}
