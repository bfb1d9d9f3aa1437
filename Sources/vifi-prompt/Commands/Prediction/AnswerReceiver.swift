import Experiments
import Files
import Foundation
import Training

/// Where answers go beside standard output.
enum AnswerReceiver {
    case webhook(WebhookAddress)
    case broker(MQTTAddress, MQTTCredentials)

    /// - Throws: `MQTTError` where the broker cannot be reached.
    func open() throws -> Outbox {
        switch self {
        case .webhook(let address): try .webhook(address, report: Self.tell)
        case .broker(let address, let credentials): try .mqtt(address, as: credentials, isCancelled: { Interruption.isRequested }, report: Self.tell)
        }
    }

    private static func tell(_ event: Outbox.Event) {
        switch event {
        case .warning(let text): Console.warning(text)
        case .note(let text): Console.note(text)
        }
    }
}

extension LiveOptions {
    /// Where answers go beside standard output.
    ///
    /// - Throws: `WebhookError`, `MQTTError`.
    func receivers() throws -> [AnswerReceiver] {
        let environment = ProcessInfo.processInfo.environment
        let hook = try webhook.map { AnswerReceiver.webhook(try WebhookAddress($0)) }
        let broker = try mqtt.map { text in
            let address = try MQTTAddress(text)
            guard MQTTConnection.libraryVersion != nil else { throw MQTTError(address: text, problem: .notBuilt) }
            return AnswerReceiver.broker(address, try MQTTCredentials(environment: environment, for: address))
        }
        return [hook, broker].compactMap(\.self)
    }
}
