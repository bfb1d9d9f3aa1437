import Files
import Testing

/// The part of XML that annotation programs write, and what is refused of the rest.
@Suite struct XMLTreeTests {
    private func read(_ text: String) throws -> XMLTree { try XMLTree.read(Array(text.utf8)) }

    private func fault(_ text: String) -> XMLTree.Fault? {
        do throws(XMLTree.Fault) {
            _ = try XMLTree.read(Array(text.utf8))
            return nil
        } catch {
            return error
        }
    }

    @Test func elementsAttributesAndText() throws {
        let tree = try read(
            """
            \u{FEFF}<?xml version="1.0" encoding="UTF-8"?>
            <!-- before -->
            <a x='1 > 0' y = "&lt;&amp;&quot;&apos;&gt;&#65;&#x1F600;"
               z="two
            lines">one<b/><!-- <c> --><b k="v">&#x41;<![CDATA[<&]]></b >two</a>
            <!-- after -->

            """)
        #expect(tree.name == "a" && tree.line == 3 && tree.attributes == ["x": "1 > 0", "y": "<&\"'>A\u{1F600}", "z": "two lines"])
        #expect(tree.text == "onetwo" && tree.children.map(\.name) == ["b", "b"])
        #expect(tree.first("b")?.attributes.isEmpty == true && tree.all("b")[1]["k"] == "v" && tree.all("b")[1].text == "A<&")
        #expect(tree.all("b")[1].line == 5 && tree.first("c") == nil)
    }

    /// What is written is read back.
    @Test func escapedTextIsReadBack() throws {
        let text = "a<b>&\"c'\t\n\r\u{1F600}é"
        let tree = try read("<a b=\"\(text.escapedForXML)\">\(text.escapedForXML)</a>")
        #expect(tree["b"] == text && tree.text == text)
        #expect("a\u{0}\u{1}\u{FFFE}b".escapedForXML == "ab")
    }

    @Test(arguments: [
        ("", 1, "it has no element"), ("text", 1, "it has no element"), ("<a>", 1, "the element <a> of line 1 is not closed"),
        ("<a>\n<b></a>", 2, "<b> of line 2 is closed by </a>"), ("<a/><b/>", 1, "something follows the outermost element"),
        ("<a/>text", 1, "something follows the outermost element"), ("</a>", 1, "an element is closed that was not opened"),
        ("<![CDATA[x]]>", 1, "it holds markup that is not known"), ("<a x=1/>", 1, "the attribute x of <a> stands in no quotes"),
        ("<a x='1' x='2'/>", 1, "<a> has the attribute x twice"), ("<a x='<'/>", 1, "an attribute holds a <"), ("<a x='", 1, "the attribute x of <a> is not closed"),
        ("<a>&nbsp;</a>", 1, "the entity &nbsp; is not known"), ("<a>&#0;</a>", 1, "the entity &#0; is not known"),
        ("<a>&#xD800;</a>", 1, "the entity &#xD800; is not known"), ("<a>&#99999999999;</a>", 1, "the entity &#99999999999; is not known"),
        ("<a>a & b</a>", 1, "a & begins no entity; write &amp;"), ("<a><!-- x</a>", 1, "a comment is not closed"), ("<a><![CDATA[x</a>", 1, "a CDATA section is not closed"),
        ("<a", 1, "the start of <a> is damaged"), ("<>", 1, "a name is missing, or too long"), ("<a><!ELEMENT b></a>", 1, "it holds markup that is not known"),
        ("<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>", 1, "its encoding is utf-16; save it as UTF-8"),
    ])
    func damageIsNamedWithItsLine(_ text: String, _ line: Int, _ reason: String) {
        #expect(fault(text) == XMLTree.Fault(line: line, reason: reason))
    }

    /// Billion laughs, and entities that name files.
    @Test(arguments: [
        "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;&lol;\">]><lolz>&lol2;</lolz>",
        "<?xml version=\"1.0\"?>\n<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", "<a><!DOCTYPE b></a>",
    ])
    func documentTypesAreRefused(_ text: String) {
        #expect(fault(text)?.reason == "it declares a document type (<!DOCTYPE), which is not read. Remove that declaration")
    }

    @Test func depthAndAttributesAreBounded() {
        let deep = String(repeating: "<a>", count: 100_000)
        #expect(fault(deep)?.reason == "elements lie more than 64 deep in each other")
        #expect(fault(String(repeating: "<a>", count: 64) + String(repeating: "</a>", count: 64)) == nil)
        let wide = "<a " + (0..<300).map { "x\($0)='' " }.joined() + "/>"
        #expect(fault(wide)?.reason == "<a> has more than 256 attributes")
        #expect(fault("<" + String(repeating: "a", count: 300) + "/>")?.reason == "a name is missing, or too long")
    }

    @Test func otherEncodingsAreRefused() {
        #expect(throws: XMLTree.Fault(line: 1, reason: "it is not UTF-8")) { try XMLTree.read([0x3C, 0x61, 0x3E, 0xE9, 0x3C, 0x2F, 0x61, 0x3E]) }
        #expect(throws: XMLTree.Fault.self) { try XMLTree.read([0xFF, 0xFE, 0x3C, 0x00]) }
    }

    /// No damage ends the program.
    @Test func damagedDocumentsEndInFaults() throws {
        let whole = Array("<?xml version='1.0'?><a x='&#65;'><!-- c --><b>t<![CDATA[d]]></b><c y=\"z\"/></a>".utf8)
        for count in 0..<whole.count { #expect(throws: XMLTree.Fault.self) { try XMLTree.read(Array(whole.prefix(count))) } }
        for place in whole.indices {
            for byte in "<>&;'\"/!-]= a\u{0}".utf8 {
                var bytes = whole
                bytes[place] = byte
                _ = try? XMLTree.read(bytes)
            }
        }
    }
}
