import CMosquitto
import Files

/// A connection to a broker of MQTT that was accepted; it is left when this value goes.
///
/// One message at a time is on its way: each is acknowledged before the next one is sent (QoS 1).
@safe package struct MQTTConnection: ~Copyable {
    private let handle: OpaquePointer
    private let address: MQTTAddress
    private let isHurried: @Sendable () -> Bool

    /// Within which a broker greets, and acknowledges a message.
    static let timeoutSeconds = 10

    /// How long the thread waits for the network at once, in milliseconds.
    private static let turn: Int32 = 50

    private static let nothing = Int32(VIFI_MQTT_NOTHING)
    private static let otherVersion = Int32(VIFI_MQTT_OTHER_VERSION)

    /// Of libmosquitto, "2.0.11"; nil where the program was built without it.
    package static var libraryVersion: String? { vifi_mqtt_is_built() != 0 ? unsafe String(cString: vifi_mqtt_version()) : nil }

    /// Connects by MQTT 5, in which a broker says what it refuses, else by 3.1.1, in which it takes everything.
    ///
    /// - Parameter isHurried: asked many times a second: whether to give up.
    /// - Throws: `MQTTError`.
    init(to address: MQTTAddress, as credentials: MQTTCredentials, isHurried: @escaping @Sendable () -> Bool) throws(MQTTError) {
        guard Self.libraryVersion != nil else { throw MQTTError(address: address.text, problem: .notBuilt) }
        var handle = try unsafe Self.open(address, credentials, version: 5, isHurried)
        if unsafe handle == nil { unsafe handle = try unsafe Self.open(address, credentials, version: 4, isHurried) }
        guard let handle = unsafe handle else { throw MQTTError(address: address.text, problem: .refused(reason: "it speaks neither MQTT 5 nor 3.1.1")) }
        unsafe self.handle = handle
        self.address = address
        self.isHurried = isHurried
    }

    deinit { unsafe vifi_mqtt_free(handle) }

    /// Nil where the broker does not speak the version.
    private static func open(
        _ address: MQTTAddress, _ credentials: MQTTCredentials, version: Int32, _ isHurried: () -> Bool
    ) throws(MQTTError) -> OpaquePointer? {
        // No two clients may have the same name: the later one ends the earlier one's connection.
        let name = "vifi-prompt-" + String(UInt32.random(in: .min ... .max), radix: 36)
        guard let handle = unsafe vifi_mqtt_create(name, version) else { throw MQTTError(address: address.text, problem: .shortOfMemory) }
        let problem: MQTTError.Problem
        let code = unsafe vifi_mqtt_connect(
            handle, address.origin.plainHost, Int32(address.origin.port), address.isEncrypted ? 1 : 0, credentials.user, credentials.password)
        if code != 0 {
            problem = .unreachable(reason: words(code))
        } else {
            let failure = unsafe wait(for: vifi_mqtt_greeting, of: handle, isHurried)
            switch unsafe vifi_mqtt_greeting(handle) {
            case 0: return unsafe handle
            case nothing: problem = .unreachable(reason: failure ?? "it said nothing")
            case otherVersion:
                unsafe vifi_mqtt_free(handle)
                return nil
            case let reason: problem = .refused(reason: unsafe words(vifi_mqtt_reason_text(handle, reason)))
            }
        }
        unsafe vifi_mqtt_free(handle)
        throw MQTTError(address: address.text, problem: problem)
    }

    /// Sends and receives until the broker has said what is waited for.
    ///
    /// - Returns: why it did not; nil where it did.
    private static func wait(for word: (OpaquePointer?) -> Int32, of handle: OpaquePointer, _ isHurried: () -> Bool) -> String? {
        let deadline = ContinuousClock.now + .seconds(timeoutSeconds)
        while unsafe word(handle) == nothing {
            let code = unsafe vifi_mqtt_turn(handle, turn)
            if code != 0 { return unsafe word(handle) == nothing ? words(code) : nil }
            if isHurried() { return "nobody waits any longer" }
            if ContinuousClock.now > deadline { return "the broker said nothing for \(timeoutSeconds) s" }
        }
        return nil
    }

    private static func words(_ code: Int32) -> String { unsafe words(vifi_mqtt_error_text(code)) }

    /// Some of the library's sentences have a full stop.
    private static func words(_ text: UnsafePointer<CChar>) -> String {
        let text = unsafe String(cString: text)
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }

    /// Publishes a line and waits until the broker has it.
    ///
    /// - Throws: `MQTTError`: `messageRefused` where the connection is as good as before, else it is of no more use.
    func publish(_ line: String) throws(MQTTError) {
        let code = unsafe line.utf8.span.withUnsafeBytes { unsafe vifi_mqtt_publish(handle, address.topic, $0.baseAddress, $0.count) }
        guard code == 0 else {
            let isAboutMessage = vifi_mqtt_is_about_message(code) != 0
            throw MQTTError(
                address: address.text, problem: isAboutMessage ? .messageRefused(reason: Self.words(code)) : .unreachable(reason: Self.words(code)))
        }
        if let failure = unsafe Self.wait(for: vifi_mqtt_acknowledgment, of: handle, isHurried) {
            throw MQTTError(address: address.text, problem: .unreachable(reason: failure))
        }
        let reason = unsafe vifi_mqtt_acknowledgment(handle)
        guard reason < VIFI_MQTT_FIRST_REFUSAL else {
            throw MQTTError(address: address.text, problem: .messageRefused(reason: unsafe Self.words(vifi_mqtt_reason_text(handle, reason))))
        }
    }

    /// Listens for a moment where there is nothing to publish, and asks now and then whether the broker is there.
    ///
    /// - Returns: whether it is, as far as is known.
    func rest() -> Bool { unsafe vifi_mqtt_turn(handle, Self.turn) == 0 }
}
