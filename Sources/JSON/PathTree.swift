import Bytes

/// What is at a path.
package enum PathValue: Equatable {
    case absent, null
    case string(JSONString)
    /// Where the number stands in the text.
    case number(Range<Int>)
    /// An object, an array or a boolean.
    case other(JSONType)
    /// Nothing, since a value on the way, to which so many keys lead, is neither an object nor null.
    case blocked(level: Int)
}

/// Finds the values at many paths in one pass.
package struct PathTree: Equatable, Sendable {
    private struct Node: Equatable {
        var children: [Child] = []
        /// The path that ends here, if one does.
        var path: Int?

        func child(_ key: Span<UInt8>) -> Int? {
            for child in children where child.key.count == key.count && child.key.span.equals(key) { return child.node }
            return nil
        }
    }

    private struct Child: Equatable {
        let key: [UInt8]
        let node: Int
    }

    package let paths: [JSONPath]
    /// The first is the root.
    private var nodes = [Node()]

    /// - Parameter paths: each once.
    package init(_ paths: [JSONPath]) {
        self.paths = paths
        for (index, path) in paths.enumerated() {
            var node = 0
            for key in path.keys { node = nodes[node].child(key.span) ?? addChild(key, to: node) }
            nodes[node].path = index
        }
    }

    private mutating func addChild(_ key: [UInt8], to parent: Int) -> Int {
        nodes.append(Node())
        nodes[parent].children.append(Child(key: key, node: nodes.count - 1))
        return nodes.count - 1
    }

    /// Reads a whole text strictly.
    ///
    /// - Parameter stranger: is called for each member that no path leads to or through, with the keys that lead to its
    ///   object, and its own.
    /// - Returns: the values, in the order of the paths.
    package func values(
        in text: Span<UInt8>, stranger: ([[UInt8]], JSONString) -> Void = { _, _ in }
    ) throws(JSONFault) -> [PathValue] {
        var values = [PathValue](repeating: .absent, count: paths.count)
        var reader = JSONReader()
        try reader.readText(in: text) { reader, key throws(JSONFault) in
            try visit(key, of: 0, after: [], &reader, text, &values, stranger)
        }
        return values
    }

    /// The value at a path among those that were found; absent if the tree does not have the path.
    package func value(at path: JSONPath, among values: [PathValue]) -> PathValue {
        var node = 0
        for key in path.keys {
            guard let next = nodes[node].child(key.span) else { return .absent }
            node = next
        }
        return nodes[node].path.map { values[$0] } ?? .absent
    }

    private func child(_ key: JSONString, of node: Int, in text: Span<UInt8>) -> Int? {
        guard key.hasEscapes else { return nodes[node].child(text.extracting(key.range)) }
        return nodes[node].child(key.text(from: text).span)
    }

    private func visit(
        _ key: JSONString, of parent: Int, after keys: [[UInt8]], _ reader: inout JSONReader, _ text: Span<UInt8>,
        _ values: inout [PathValue], _ stranger: ([[UInt8]], JSONString) -> Void
    ) throws(JSONFault) {
        guard let node = child(key, of: parent, in: text) else {
            stranger(keys, key)
            return try reader.skipValue(in: text)
        }
        let type = try reader.type(in: text)
        let start = reader.position
        if type == .object && !nodes[node].children.isEmpty {
            if let path = nodes[node].path { values[path] = .other(.object) }
            let keys = keys + [key.text(from: text)]
            return try reader.readMembers(in: text) { reader, key throws(JSONFault) in
                try visit(key, of: node, after: keys, &reader, text, &values, stranger)
            }
        }
        var value = PathValue.other(type)
        if type == .string {
            value = .string(try reader.string(in: text))
        } else {
            try reader.skipValue(in: text)
            if type == .null { value = .null }
            if type == .number { value = .number(start..<reader.position) }
        }
        if let path = nodes[node].path { values[path] = value }
        if type != .null { block(nodes[node], level: keys.count + 1, &values) }
    }

    /// Notes that no path leads further than to a node.
    private func block(_ node: Node, level: Int, _ values: inout [PathValue]) {
        for child in node.children {
            if let path = nodes[child.node].path { values[path] = .blocked(level: level) }
            block(nodes[child.node], level: level, &values)
        }
    }
}
