// UIDs of the upper layer itself.
//
// Left out on purpose: the registry of SOP classes and transfer syntaxes; here most UIDs are names that pass through.

/** The only application context there is (PS3.7 annex A). */
export const dicomApplicationContext = '1.2.840.10008.3.1.1.1';
export const verificationSopClass = '1.2.840.10008.1.1';
