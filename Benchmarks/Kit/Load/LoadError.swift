/// Why a measurement was given up, in a sentence.
package struct LoadError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
