import Bridge

/// A value of a device: where it is, and how it is read.
package struct Point: Equatable, Sendable {
    package var name: String
    package var table: DataTable
    package var address: Int
    package var format: ValueFormat
    package var interval: Duration
    package var isWritable = false
    /// A write is read back.
    package var isVerified = true

    package init(name: String, table: DataTable, address: Int, format: ValueFormat, interval: Duration) {
        self.name = name
        self.table = table
        self.address = address
        self.format = format
        self.interval = interval
    }

    /// Places of its table that it fills.
    package var places: Range<Int> { address..<address + (table.holdsBits ? 1 : format.type.registers) }

    /// Its part of what was read from `start` on.
    package func value(in data: [UInt8], from start: Int) throws(ValueProblem) -> Value {
        let offset = address - start
        if table.holdsBits { return .boolean(data[offset / 8] >> UInt8(offset % 8) & 1 == 1) }
        return try format.value(data[2 * offset..<2 * (offset + format.type.registers)])
    }
}
