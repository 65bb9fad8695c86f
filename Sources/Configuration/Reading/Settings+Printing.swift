extension Settings {
    /// Every setting in force as TOML that reads back equal; with `maskingSecrets` except for these: users' password
    /// hashes, and in modules' own keys and environments whatever is named like a secret.
    public func printed(maskingSecrets: Bool = true) -> String {
        TOMLPrinter.document(FieldsPrinter.table(of: self, masking: maskingSecrets))
    }
}
