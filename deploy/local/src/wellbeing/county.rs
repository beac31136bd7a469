//! The county: its wards, schools and names. All of it is invented.

/// A ward with the number of its households in a thousand, and how much more often hard things happen there than elsewhere.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Ward {
    pub(super) name: &'static str,
    pub(super) hardship: f64,
}

const fn ward(name: &'static str, hardship: f64, weight: u64) -> (Ward, u64) {
    (Ward { name, hardship }, weight)
}

/// From a fifth of the county down to a hamlet of two in a thousand.
pub(super) const WARDS: [(Ward, u64); 20] = [
    ward("Castle", 1.5, 190),
    ward("Eastgate", 1.8, 130),
    ward("Riverside", 1.2, 105),
    ward("Minster", 0.9, 90),
    ward("Oakwood", 0.6, 80),
    ward("Harbour", 1.7, 70),
    ward("Kingsmead", 0.7, 60),
    ward("Northgate", 1.4, 50),
    ward("Fairfield", 0.8, 45),
    ward("Abbey", 1.0, 38),
    ward("Lowfield", 1.3, 32),
    ward("Grange", 0.5, 26),
    ward("Priory", 0.9, 22),
    ward("Beacon Hill", 0.6, 18),
    ward("Dene", 1.1, 14),
    ward("Juniper Green", 0.5, 11),
    ward("Ings", 1.0, 8),
    ward("Quarry Bank", 1.6, 5),
    ward("Upper Fell", 0.9, 4),
    ward("Tarn", 0.8, 2),
];

pub(super) const ETHNIC_GROUPS: [(&str, u64); 5] =
    [("White", 840), ("Asian", 80), ("Black", 40), ("Mixed", 32), ("Other", 8)];

/// The schools that the trust runs.
pub(super) const SCHOOLS: [(&str, u64); 8] = [
    ("Castle Primary", 20),
    ("Eastgate Primary", 16),
    ("Riverside Primary", 13),
    ("Oakwood Primary", 9),
    ("Fell Primary", 2),
    ("Northshire High", 22),
    ("Harbour Academy", 14),
    ("Minster School", 10),
];

pub(super) const WOMEN: [&str; 24] = [
    "Amelia",
    "Bethany",
    "Carys",
    "Chloe",
    "Daisy",
    "Eleanor",
    "Faiza",
    "Freya",
    "Grace",
    "Hannah",
    "Isla",
    "Jasmine",
    "Katherine",
    "Leila",
    "Maryam",
    "Megan",
    "Nadia",
    "Olivia",
    "Poppy",
    "Rebecca",
    "Sarah",
    "Sophie",
    "Tamara",
    "Zara",
];

pub(super) const MEN: [&str; 24] = [
    "Adam", "Benjamin", "Callum", "Daniel", "Edward", "Finlay", "George", "Hamza", "Harry", "Ibrahim",
    "Jacob", "James", "Kofi", "Liam", "Matthew", "Nathan", "Oliver", "Patrick", "Rhys", "Samuel", "Thomas",
    "Usman", "William", "Yusuf",
];

pub(super) const FAMILIES: [&str; 48] = [
    "Ackroyd",
    "Ahmed",
    "Archer",
    "Ashworth",
    "Bailey",
    "Barker",
    "Begum",
    "Bradley",
    "Brook",
    "Carter",
    "Chapman",
    "Clarke",
    "Cooper",
    "Dawson",
    "Dixon",
    "Ellis",
    "Fletcher",
    "Foster",
    "Gill",
    "Greenwood",
    "Hall",
    "Harrison",
    "Holt",
    "Hussain",
    "Jackson",
    "Jones",
    "Kaur",
    "Khan",
    "Lister",
    "Marsden",
    "Mensah",
    "Metcalfe",
    "Mitchell",
    "Naylor",
    "Okafor",
    "Patel",
    "Pickles",
    "Rhodes",
    "Sharma",
    "Shaw",
    "Singh",
    "Smith",
    "Sykes",
    "Taylor",
    "Thackray",
    "Walker",
    "Wilkinson",
    "Wright",
];
